"""How a run of Pulumi can fail. The message says what was found and what comes next; a verb chooses the exit code."""


class CountryLocked(RuntimeError):
    """Another process is deploying the country, or may be."""


class UpdateFailed(RuntimeError):
    """`pulumi up` failed for the cause that it has printed."""


class PartlyDeployed(UpdateFailed):
    """`pulumi up` failed after some phases were completed."""


class UpdateInterrupted(UpdateFailed):
    """An operator stopped `pulumi up`."""
