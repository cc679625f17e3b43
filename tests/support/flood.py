"""A program that burdens a server as anyone may who reaches it, without any right there.

It needs Python's own library alone, so it runs on this machine and in a container: `python -c TEXT JSON`. Bodies come
first, each sent until the server answers or ends the connection. Then connections are held: `silent` ones say nothing,
`idle` ones complete the handshake of TLS, `slow` ones send a header byte by byte. One line of JSON says what was done
when all are there, then they are held for some seconds, or until SIGTERM.
"""

import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

_STEP = 3.0  # seconds that a server may take for one step of a connection
_BUILD = 15.0  # seconds for all connections of a kind
_PART = b"1" * 0x10000


def _context() -> ssl.SSLContext:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return trust


_TRUST = _context()


def _plain(at: dict[str, Any]) -> socket.socket:
    return socket.create_connection((at["address"], at["port"]), _STEP)


def _secure(at: dict[str, Any]) -> ssl.SSLSocket:
    return _TRUST.wrap_socket(_plain(at), server_hostname=at["host"])


def _started(at: dict[str, Any]) -> ssl.SSLSocket:
    line = _secure(at)
    line.sendall(f"POST / HTTP/1.1\r\nHost: {at['host']}\r\nX-Slow: ".encode())
    return line


def send(at: dict[str, Any], path: str) -> dict[str, Any]:
    """Send a body in parts, as large as `size` if the server takes that; return how much it took, and the answer."""
    taken, answer = 0, b""
    kind = "application/x-www-form-urlencoded" if at.get("form") else "application/json"
    head = f"POST {path} HTTP/1.1\r\nHost: {at['host']}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    try:
        with _secure(at) as line:
            line.sendall(head.encode())
            line.settimeout(_STEP)
            while taken < at["size"] and not answer:
                line.sendall(b"%x\r\n%b\r\n" % (len(_PART), _PART))
                taken += len(_PART)
                line.setblocking(False)
                with suppress(ssl.SSLWantReadError):
                    answer = line.recv(200)
                line.settimeout(_STEP)
            if not answer:
                line.sendall(b"0\r\n\r\n")
                answer = line.recv(200)
    except OSError as error:
        answer = answer or type(error).__name__.encode()
    return {"path": path, "taken": taken, "answer": answer.split(b"\r\n")[0].decode(errors="replace")}


def _all_at_once(work: Sequence[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    done: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda one: done.append(one()), args=[one]) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def hold(at: dict[str, Any], count: int, opened: Callable[[dict[str, Any]], socket.socket]) -> list[socket.socket]:
    """Return up to `count` connections; those that the server refused are missing."""
    held, ends = list[socket.socket](), time.monotonic() + _BUILD
    for _ in range(count):
        if time.monotonic() > ends:
            break
        try:
            held.append(opened(at))
        except OSError:
            continue
    return held


def is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return socket.socket.recv(line, 1, socket.MSG_PEEK) != b""  # below TLS, which knows no such flag
    except BlockingIOError:
        return True
    except OSError:
        return False


def main(at: dict[str, Any]) -> None:
    bodies = [partial(send, at, path) for path in at["paths"] for _ in range(at["bodies"])]
    found: dict[str, Any] = {"pid": os.getpid(), "bodies": _all_at_once(bodies)}
    kinds = {"silent": _plain, "idle": _secure, "slow": _started}
    held = {kind: hold(at, at.get(kind, 0), opened) for kind, opened in kinds.items()}
    time.sleep(0.2)  # until a server that refuses has closed what it accepted
    print(json.dumps(found | {kind: sum(map(is_open, lines)) for kind, lines in held.items()}), flush=True)
    ends = time.monotonic() + at["seconds"]
    while time.monotonic() < ends:
        time.sleep(0.5)
        for line in held["slow"]:
            try:
                line.send(b"x")
            except OSError:
                continue


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
