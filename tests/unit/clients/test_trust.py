"""The CA as a file: one folder for all threads of a process."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from dive_infra.clients import trust


def test_threads_that_ask_at_once_get_one_file_that_stays() -> None:
    threads = 16
    for _ in range(20):
        trust._directory.cache_clear()
        together = Barrier(threads)

        def ask(together: Barrier = together) -> str:
            together.wait()
            return trust.ca_file("ca").read_text()

        with ThreadPoolExecutor(threads) as pool:
            assert [f.result() for f in [pool.submit(ask) for _ in range(threads)]] == ["ca"] * threads
