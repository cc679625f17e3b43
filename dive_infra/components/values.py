"""Typed helpers for Pulumi outputs."""

from typing import TypeVar, cast

import pulumi
from pulumi.output import UNKNOWN

T = TypeVar("T")


def unknown() -> pulumi.Output[str]:
    """Return a value that a preview does not know."""
    return pulumi.Output.from_input(cast(str, UNKNOWN))


def secret(value: pulumi.Output[T]) -> pulumi.Output[T]:
    """Return the value as a secret: encrypted in the state and hidden in every display."""
    hidden: pulumi.Output[T] = pulumi.Output.secret(value)
    return hidden
