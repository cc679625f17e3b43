"""The CA as a file: any thread can read it, and nothing stays when the process ends."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from dive_infra.clients import trust


def test_threads_that_ask_at_once_can_all_read_it() -> None:
    threads = 16
    for number in range(20):
        together = Barrier(threads)

        def ask(together: Barrier = together, ca: str = f"ca {number}") -> str:
            together.wait()
            return trust.ca_file(ca).read_text()

        with ThreadPoolExecutor(threads) as pool:
            assert {f.result() for f in [pool.submit(ask) for _ in range(threads)]} == {f"ca {number}"}
    assert trust.ca_file("ca 1") == trust.ca_file("ca 1") != trust.ca_file("ca 2")


def test_a_process_that_is_ended_at_once_leaves_no_file_behind(tmp_path: Path) -> None:
    """`./dive` ends by `os._exit`, and Pulumi kills a provider that takes its time."""
    use = "import os; from dive_infra.clients import trust; trust.ca_file('ca').read_text(); os._exit(7)"
    ended = subprocess.run([sys.executable, "-c", use], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert ended.returncode == 7
    assert list(tmp_path.iterdir()) == []
