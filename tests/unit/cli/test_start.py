"""How the command starts and ends."""

import subprocess
import sys

import pytest

from dive_infra.config import paths


@pytest.mark.parametrize(("verb", "code"), [(["explain", "1301"], 0), (["explain", "none"], 2)])
def test_a_verb_ends_without_waiting_for_threads_of_client_libraries(verb: list[str], code: int) -> None:
    idle = "import sys, threading, time; threading.Thread(target=time.sleep, args=(60,)).start()"
    command = f"{idle}; sys.argv = ['./dive', *{verb}]; from dive_infra.cli import start; start.main()"
    done = subprocess.run([sys.executable, "-c", command], cwd=paths.ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stderr
    assert done.stdout or done.stderr


def test_what_is_started_in_the_background_heeds_an_interrupt() -> None:
    """Else Pulumi waits for its plugins until it kills them, at the end of each of their lives."""
    asked = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"]
    code = f"import subprocess; from dive_infra.cli import start; start.handle_interrupts(); subprocess.run({asked})"
    command = ["sh", "-c", 'trap "" INT; "$@"', "shell", sys.executable]
    kept = subprocess.run([*command, *asked[1:]], capture_output=True, text=True, check=True)
    assert kept.stdout == "True\n", "this is how a shell starts it"
    heeded = subprocess.run([*command, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert heeded.stdout == "False\n"
