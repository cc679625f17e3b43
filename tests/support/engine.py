"""A Docker engine that runs nothing: it answers the requests of which the ways to an engine are made.

Real ones would need a second machine with sshd, or with TLS.
"""

import base64
import io
import json
import ssl
import struct
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from re import sub
from socketserver import BaseServer, ThreadingUnixStreamServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

VERSION = "1.47"
OUT, ERR = 1, 2


@dataclass
class StandIn:
    """`images`: name -> processor; `asked` are the requests, `kept` what was put into containers."""

    images: dict[str, str] = field(default_factory=dict[str, str])
    processor: str = "x86_64"
    prints: tuple[bytes, bytes] = (b"out", b"err")
    asked: list[str] = field(default_factory=list[str])
    kept: dict[str, bytes] = field(default_factory=dict[str, bytes])
    loses: bool = False  # says that it has loaded an image, and has not


def archive(files: dict[str, bytes]) -> bytes:
    """Return a tar of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def frames(out: bytes, err: bytes) -> bytes:
    """Return output and errors of a process as the engine sends them in one stream."""
    return b"".join(struct.pack(">BxxxL", kind, len(text)) + text for kind, text in ((OUT, out), (ERR, err)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: StandIn

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path, query = self._path()
        kind, _, name = path.strip("/").partition("/")
        match kind, name.rpartition("/"):
            case "version", _:
                self._json({"ApiVersion": VERSION, "Arch": "amd64"})
            case "info", _:
                self._json({"Architecture": self.engine.processor})
            case "images", ("", _, "get"):
                wanted = {image: self.engine.images[image] for image in query["names"]}
                self._chunks(json.dumps(wanted).encode()[n : n + 1] for n in range(len(json.dumps(wanted))))
            case "images", (image, _, "json"):
                if processor := self.engine.images.get(image):
                    self._json({"Id": f"id of {image}", "Architecture": processor})
                else:
                    self._json({"message": f"No such image: {image}"}, 404)
            case "containers", (container, _, "json"):
                self._json({"Id": container, "Name": container, "Config": {"Tty": False}})
            case "containers", (_, _, "logs"):
                self._chunks([frames(*self.engine.prints)])
            case "containers", (container, _, "archive"):
                stat = base64.b64encode(json.dumps({"name": "token"}).encode()).decode()
                kept = self.engine.kept[container]
                self._chunks((kept[n : n + 4096] for n in range(0, len(kept), 4096)), stat)
            case "exec", _:
                self._json({"Running": False, "ExitCode": 0})

    def do_POST(self) -> None:
        path, _ = self._path()
        body = self._body()
        if path == "/images/load":
            loaded = json.loads(body)
            self.engine.images |= {} if self.engine.loses else loaded
            self._chunks(json.dumps({"stream": f"Loaded image: {name}\n"}).encode() for name in loaded)
        elif path == "/build":
            self._chunks(json.dumps({"stream": f"Step {n}\n"}).encode() for n in range(3))
        elif path.endswith("/exec"):
            self._json({"Id": "e1"}, 201)
        elif json.loads(body)["Detach"]:
            self._json({})
        else:  # the connection becomes the process's, and its output comes with the headers
            upgraded = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            self.wfile.write(upgraded + frames(*self.engine.prints))
            self.close_connection = True

    def do_PUT(self) -> None:
        self.engine.kept[self._path()[0].split("/")[2]] = self._body()
        self._json({})

    def _path(self) -> tuple[str, dict[str, list[str]]]:
        url = urlsplit(self.path)
        path = sub(r"^/v[0-9.]+", "", unquote(url.path))
        self.engine.asked.append(f"{self.command} {path}")
        return path, parse_qs(url.query)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, content: Any, status: int = 200) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _chunks(self, parts: Iterable[bytes], stat: str = "") -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Docker-Container-Path-Stat", stat)
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


@contextmanager
def _serving(server: BaseServer) -> Iterator[None]:
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _UnixServer(ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def at_socket(engine: StandIn, path: Path) -> Iterator[str]:
    """Serve the engine at a socket until the block ends; yield its address."""
    handler = type("Handler", (_Handler,), {"engine": engine})
    with _serving(_UnixServer(str(path), handler)):
        yield f"unix://{path}"


@contextmanager
def over_tls(engine: StandIn, certificates: Path) -> Iterator[str]:
    """Serve the engine on loopback, to clients with a certificate of `ca.pem` alone; yield its address.

    `certificates` has `ca.pem`, `server.pem` and `server.key`.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"engine": engine}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with _serving(server):
        yield f"tcp://127.0.0.1:{server.server_port}"


_SSH = """#!{python}
import json, os, socket, sys, threading

with open({log!r}, "a") as log:
    log.write(json.dumps([os.getpid(), *sys.argv[1:]]) + "\\n")
if {refusal!r}:
    sys.exit({refusal!r})
engine = socket.socket(socket.AF_UNIX)
engine.connect({socket!r})

def send():
    while part := os.read(0, 65536):
        engine.sendall(part)
    engine.shutdown(socket.SHUT_WR)

threading.Thread(target=send, daemon=True).start()
while part := engine.recv(65536):
    os.write(1, part)
os._exit(0)
"""


@dataclass(frozen=True)
class FakeSsh:
    """A program `ssh` in `folder` that leads to the engine at a socket, or refuses with a message."""

    folder: Path
    log: Path

    @property
    def started(self) -> list[list[Any]]:
        """Return the process id and the arguments of each that was started."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


def fake_ssh(folder: Path, socket: Path, python: str, refusal: str = "") -> FakeSsh:
    """Write the program; `folder` goes first on PATH."""
    log = folder / "ssh.log"
    program = folder / "ssh"
    program.write_text(_SSH.format(python=python, log=str(log), socket=str(socket), refusal=refusal))
    program.chmod(0o755)
    return FakeSsh(folder, log)
