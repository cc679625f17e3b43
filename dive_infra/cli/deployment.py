"""One deployment of a stack: what is left of a killed run is cleared, then `pulumi up` runs in full view."""

import tempfile
from pathlib import Path

from dive_infra import outcome
from dive_infra.cli.drift import unseen
from dive_infra.cli.pulumi import Stack, in_view
from dive_infra.cli.recovery import BUSY, recover
from dive_infra.cli.steps import console, fail
from dive_infra.findings import listing

INTERRUPTED = 130


def deploy(stack: Stack) -> None:
    """One `pulumi up`, with a refresh where only that sees a change; ends the command when it fails.

    The exit code is `BUSY` where somebody else deploys the country, `INTERRUPTED` where we were asked to stop.
    """
    country = stack.name.upper()
    state = recover(stack)
    refresh: list[str] = []
    if findings := unseen(state):
        console.print(listing(findings, "invalid"), markup=False)
        refresh = ["--refresh"]
    console.rule(" ".join(["pulumi up -s", stack.name, *refresh]))
    with tempfile.TemporaryDirectory(prefix="dive-up-") as folder:
        told = Path(folder) / "refused"
        code, interrupted = in_view(stack, "up", "--yes", "--skip-preview", *refresh, **{outcome.VARIABLE: str(told)})
        refused = outcome.refused(told)
    if interrupted:
        fail(
            f"`pulumi up -s {stack.name}` was interrupted; what is done is kept; next: ./dive up {country}", INTERRUPTED
        )
    if refused:
        fail(refused, BUSY)
    if code:
        fail(
            f"`pulumi up -s {stack.name}` failed; its message above names the cause; next: mend it, then "
            f"./dive up {country}"
        )
