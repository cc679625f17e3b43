"""What comes before what, where no value says it."""

from collections.abc import Sequence

import pulumi


def first(*resources: pulumi.Resource) -> Sequence[pulumi.Resource]:
    """For `depends_on`: these are there before the next one is begun.

    In a preview nothing is begun, so nothing waits: the country is looked at in all places at once. What a change
    means for others is told by values, in previews and in updates alike.
    """
    return [] if pulumi.runtime.is_dry_run() else resources
