"""Running Pulumi in the foreground."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dive_infra.config import paths


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param(signal.SIGINT, os.killpg, id="Ctrl+C, which the terminal gives to both"),
        pytest.param(signal.SIGTERM, os.kill, id="SIGTERM, which comes to the command alone"),
    ],
)
def test_who_is_asked_to_stop_waits_for_pulumi_to_finish_what_it_has_begun(
    tmp_path: Path, number: signal.Signals, told: Callable[[int, int], None]
) -> None:
    done = tmp_path / "done"
    child = (
        f"import signal, time, pathlib; asked = []; signal.signal({number:d}, lambda *_: asked.append(1)); "
        "print('go', flush=True); time.sleep(1); "
        f"pathlib.Path({str(done)!r}).write_text(str(len(asked)))"
    )
    code = (
        "import os, pathlib; from dive_infra.automation.deploy import run_in_foreground as run; "
        f"print(run([{sys.executable!r}, '-c', {child!r}], pathlib.Path('.'), os.environ))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=paths.ROOT, start_new_session=True
    ) as command:
        assert command.stdout
        assert command.stdout.readline() == "go\n"
        time.sleep(0.1)
        told(command.pid, number)
        assert command.stdout.read() == "(0, True)\n"
    assert done.read_text() == "1", "Pulumi is told once"
