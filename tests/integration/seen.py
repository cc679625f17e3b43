"""What others can read of a deployment: command lines of the machine, output of the engine, printed text."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import docker

from tests.coalition.live import running

_PAUSE = 0.1  # seconds between two looks at the processes


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """The command lines of every process that runs inside, as everybody on the machine may read them."""
    found: set[str] = set()
    ended = Event()

    def look() -> None:
        while not ended.wait(_PAUSE):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    found.add(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # it has ended

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def on_the_engine(client: docker.DockerClient) -> Iterator[tuple[str, str]]:
    """Of each container what `docker inspect` and `docker logs` show; labels of volumes and networks."""
    for name in running(client):
        container = client.containers.get(name)
        yield name, json.dumps(container.attrs) + container.logs().decode(errors="replace")
    for kind in (client.volumes, client.networks):
        yield str(kind), json.dumps([found.attrs for found in kind.list()])


def spelled(secret: str) -> set[str]:
    """The forms of a secret in a text: as it is, as JSON, as JSON in JSON, and a key by a part of it."""
    once = json.dumps(secret)[1:-1]
    lines = [line for line in secret.splitlines() if len(line) > 40 and "-----" not in line]
    return {secret, once, json.dumps(once)[1:-1], *lines[1:3]}


def shown(secrets: set[str], text: str) -> list[str]:
    """The secrets that are in the text, by their first characters only: a failing test must not print them."""
    return sorted(f"{secret[:4]}…" for secret in secrets if any(form in text for form in spelled(secret)))
