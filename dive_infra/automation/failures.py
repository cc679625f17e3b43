"""How a run of Pulumi can fail. The message says what was found and what comes next; a verb chooses the exit code."""

from dive_infra.results.errors import DiveError


class CountryLocked(DiveError):
    """Another process is deploying the country, or may be."""


class UpdateFailed(DiveError):
    """`pulumi up` failed for the cause that it has printed."""


class PartlyDeployed(UpdateFailed):
    """`pulumi up` failed after some phases were completed."""


class UpdateInterrupted(UpdateFailed):
    """An operator stopped `pulumi up`."""
