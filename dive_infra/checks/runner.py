"""Run the checks of a phase side by side, each bounded in time, and collect their findings.

A check returns what it found (valid), raises `CheckFailed` (invalid) or `CheckUnknown` (unknown), or returns its own
findings. Any other exception is unknown too: an error is never an answer. A check that misses the deadline is unknown;
its thread ends by its own time limits.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread

from dive_infra.results.codes import Code
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import Finding, Verdict, evidence, overall
from dive_infra.results.remedy import NO_REMEDY, Remedy

PAUSE, LONGEST = 0.5, 8.0  # seconds between repetitions: each pause is twice the one before


class CheckFailed(DiveError):
    """What was checked is not as expected; `final` and `advisory` as in `Finding`."""

    def __init__(
        self,
        found: str,
        expected: str = "",
        remedy: Remedy = NO_REMEDY,
        code: Code | None = None,
        final: bool = False,
        advisory: bool = False,
    ) -> None:
        super().__init__(found, remedy, code, expected)
        self.found, self.final, self.advisory = found, final, advisory


class CheckUnknown(DiveError):
    """It could not be checked; `remedy` says what makes a check possible; `advisory` as in `Finding`."""

    def __init__(self, found: str, remedy: Remedy = NO_REMEDY, advisory: bool = False) -> None:
        super().__init__(found, remedy)
        self.found, self.advisory = found, advisory


@dataclass(frozen=True)
class Check:
    """A check: `probe` returns what it found, or findings; it raises `CheckFailed` or `CheckUnknown`.

    `sentence` states the wanted condition; `topic` groups findings in the evidence; `subject` as in `Finding`. A check
    that `settles` may fail for a moment after a change, and a proof repeats it.
    """

    sentence: str
    topic: str
    probe: Callable[[], "str | Sequence[Finding]"]
    advisory: bool = False
    subject: str = ""
    settles: bool = False


@dataclass(frozen=True)
class Validation:
    """All findings of one run of checks; `seconds` from the first start to the last end."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        return overall(self.findings)

    @property
    def late(self) -> bool:
        """Return True if a check missed the deadline."""
        return any(f.code == Code.CHECK_LATE for f in self.findings)

    @property
    def evidence(self) -> str:
        return evidence(self.findings, self.seconds)


def run(checks: Sequence[Check], deadline: float, late: float = 0.0) -> Validation:
    """Run all checks at once for at most `deadline` seconds; return the findings in the order of the checks.

    With `late`, run them once more for so many seconds if the verdict is unknown because some were late: a busy
    machine, or a server that has just started, is no reason to prove nothing.
    """
    found = settle(checks, deadline, again=())
    if late and found.verdict == Verdict.UNKNOWN and found.late:
        return settle(checks, late, again=())
    return found


def settle(checks: Sequence[Check], patience: float, again: Sequence[Verdict]) -> Validation:
    """Run the checks, and repeat those with a verdict in `again`, for at most `patience` seconds.

    This is for what needs a moment after a repair: a service that starts, data that is distributed.
    """
    started = time.monotonic()
    ends = started + patience
    found: dict[int, list[Finding]] = {}
    pending = dict(enumerate(checks))
    pause = PAUSE
    while True:
        found |= _probe(pending, ends)
        pending = {p: c for p, c in pending.items() if any(_unsettled(f, _again(c, again)) for f in found[p])}
        if not pending or time.monotonic() + pause >= ends:
            ordered = tuple(finding for _, group in sorted(found.items()) for finding in group)
            return Validation(ordered, time.monotonic() - started)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST)


def _again(check: Check, again: Sequence[Verdict]) -> Sequence[Verdict]:
    return (*again, Verdict.INVALID) if again and check.settles else again


def _unsettled(finding: Finding, again: Sequence[Verdict]) -> bool:
    return finding.verdict in again and not finding.advisory and not finding.final


def _probe(checks: Mapping[int, Check], ends: float) -> dict[int, list[Finding]]:
    """Run each check once, side by side, until the time `ends`."""
    started = time.monotonic()
    ended: SimpleQueue[tuple[int, list[Finding]]] = SimpleQueue()
    for place, check in checks.items():
        Thread(
            target=lambda p=place, c=check: ended.put((p, _run(c))), daemon=True, name=f"check {check.topic}"
        ).start()
    found: dict[int, list[Finding]] = {}
    while len(found) < len(checks):
        try:
            place, findings = ended.get(timeout=max(0.0, ends - time.monotonic()))
        except Empty:
            break
        found[place] = findings
    waited = f"no answer within {time.monotonic() - started:.1f} s"
    for place, check in checks.items():
        late = Finding(
            check.sentence,
            Verdict.UNKNOWN,
            found=waited,
            code=Code.CHECK_LATE,
            topic=check.topic,
            advisory=check.advisory,
            source=check.sentence,
        )
        found.setdefault(place, [late])
    return found


def _run(check: Check) -> list[Finding]:
    started = time.monotonic()
    blank = Finding(check.sentence, Verdict.VALID, topic=check.topic, advisory=check.advisory, subject=check.subject)
    try:
        answer = check.probe()
        findings = [replace(blank, found=answer)] if isinstance(answer, str) else list(answer)
        findings = findings or [replace(blank, verdict=Verdict.UNKNOWN, found="nothing to check")]
    except CheckFailed as w:
        failed = replace(blank, verdict=Verdict.INVALID, found=w.found, expected=w.expected, remedy=w.remedy)
        findings = [replace(failed, code=w.code, final=w.final, advisory=check.advisory or w.advisory)]
    except CheckUnknown as c:
        unknown = replace(blank, verdict=Verdict.UNKNOWN, found=c.found, remedy=c.remedy, code=Code.CHECK_UNKNOWN)
        findings = [replace(unknown, advisory=check.advisory or c.advisory)]
    except DiveError as error:
        findings = [
            replace(blank, verdict=Verdict.UNKNOWN, found=error.cause, remedy=error.remedy, code=Code.CHECK_UNKNOWN)
        ]
    except Exception as error:  # noqa: BLE001 (an error is never an answer)
        findings = [replace(blank, verdict=Verdict.UNKNOWN, found=_line(error), code=Code.CHECK_UNKNOWN)]
    seconds = time.monotonic() - started
    return [
        replace(f, seconds=f.seconds or seconds, topic=f.topic or check.topic, source=check.sentence) for f in findings
    ]


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
