"""Whether all countries are ready for the next step of a rotation, which each of them takes in its own time."""

from collections.abc import Mapping, Sequence

from dive_infra.cli.progress import fail
from dive_infra.results.remedy import Remedy


def require_ready(
    waiting: Mapping[str, str], verb: str, step: str, who: str, gone: Sequence[str], needed: str = ""
) -> None:
    """End the command `verb --step` while it waits for a country (code -> why) that is not `gone`.

    `who` they are: members or partners. The country `needed` is never gone.
    """
    left = {code: why for code, why in waiting.items() if code not in gone or code == needed}
    if not left:
        return
    command, listed = f"{verb} --{step}", "; ".join(f"{code} {why}" for code, why in left.items())
    without = " ".join(f"--without {code}" for code in left if code != needed)
    choices = [f"update {', '.join(left)} with the present document, then: {command}"]
    choices += [f"for {who} that are gone: {command} {without}"] if without else []
    fail(f"not ready for --{step}: {listed}; nothing was changed", remedy=Remedy.decide(*choices))
