"""A registry on loopback that holds one tiny image: what a real engine needs to ask for a digest and to pull."""

import gzip
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread

_V2 = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True)
class Published:
    """Where the image is: `reference` by tag, and the `digest` of its manifest."""

    reference: str
    digest: str


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _image() -> tuple[bytes, dict[str, bytes]]:
    """The manifest of an image of one file, and its blobs by digest."""
    packed, text = BytesIO(), b"hello\n"
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        entry.size = len(text)
        tar.addfile(entry, BytesIO(text))
    plain = packed.getvalue()
    layer = gzip.compress(plain, mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(plain)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": _V2,
        "config": {"mediaType": _CONFIG, "size": len(config), "digest": _digest(config)},
        "layers": [{"mediaType": _LAYER, "size": len(layer), "digest": _digest(layer)}],
    }
    return json.dumps(manifest).encode(), {_digest(config): config, _digest(layer): layer}


@contextmanager
def registry(repository: str, tag: str) -> Iterator[Published]:
    """Serve the image as `localhost:<port>/<repository>:<tag>` until the block ends."""
    manifest, blobs = _image()
    held = {
        f"/v2/{repository}/blobs/{digest}": (content, "application/octet-stream") for digest, content in blobs.items()
    }
    held |= {f"/v2/{repository}/manifests/{name}": (manifest, _V2) for name in (tag, _digest(manifest))}
    held["/v2/"] = (b"{}", "application/json")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content, kind = held.get(self.path, (b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', "application/json"))
            self.send_response(200 if self.path in held else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", _digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Published(f"localhost:{server.server_port}/{repository}:{tag}", _digest(manifest))
    finally:
        server.shutdown()
        server.server_close()
