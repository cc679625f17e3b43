"""How the command starts and ends."""

import os
import subprocess
import sys
from pathlib import Path

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


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def started(code: str) -> "subprocess.CompletedProcess[str]":
    """Run the command after `code`, which changes the user or what the verbs meet."""
    command = "import sys; sys.argv = ['./dive', 'explain']; from dive_infra.cli import __main__, start"
    command = f"{command}; {code}; start.main()"
    return subprocess.run([sys.executable, "-c", command], cwd=paths.ROOT, capture_output=True, text=True, timeout=30)


@AS_ROOT
def test_a_user_without_a_home_reads_in_one_line_what_is_missing() -> None:
    done = started("import os; os.setuid(54321); os.environ.pop('HOME')")
    assert done.returncode == 1
    what = "HOME is not set and user 54321 has no entry in the password file"
    assert done.stderr == f"dive: {what}; next: export HOME=/a/folder\n"


@AS_ROOT
def test_a_home_is_all_that_a_user_without_an_entry_needs() -> None:
    done = started("import os; os.setuid(54321); os.environ['HOME'] = '/tmp'")
    assert done.returncode == 0, done.stderr


@AS_ROOT
def test_a_file_of_another_user_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "passphrase").touch(mode=0o600)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    read = f"open({str(tmp_path / 'passphrase')!r})"
    done = started(f"import os; os.setuid(54321); os.environ['HOME'] = '/tmp'; start.prefetch = lambda _: {read}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"dive: {tmp_path}/passphrase belongs to root (mode 0600) and this is user 54321" in done.stderr
    assert f"sudo chown -R 54321:0 {tmp_path}/passphrase" in done.stderr
