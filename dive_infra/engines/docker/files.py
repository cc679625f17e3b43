"""The files of a service: packed for its volume, and read back from there to detect changes."""

import io
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import PurePosixPath
from threading import Lock

import docker
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import Mount

from dive_infra.catalog.spec import FILES
from dive_infra.config.naming import CARRIER_LABEL, SERVICE_LABEL, STACK_LABEL
from dive_infra.process.crash_points import crash_point
from dive_infra.process.probe_cache import PROBES

Manifest = Mapping[str, str]  # path -> owner, mode and hash
_ASKING = Lock()


def pack(contents: Mapping[str, str], owner: int) -> bytes:
    """Return a tar of the files (absolute path below `/etc/dive` -> text) and their folders; only `owner` may read."""
    buffer = io.BytesIO()
    folders: set[PurePosixPath] = set()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in sorted(contents.items()):
            for folder in reversed(PurePosixPath(path).parents):
                if folder.is_relative_to(FILES) and folder not in folders:
                    folders.add(folder)
                    tar.addfile(_entry(folder, owner, 0o500, tarfile.DIRTYPE))
            data = text.encode()
            entry = _entry(PurePosixPath(path), owner, 0o400, tarfile.REGTYPE)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _entry(path: PurePosixPath, owner: int, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(path).lstrip("/"))
    entry.uid = entry.gid = owner
    entry.mode, entry.type = mode, kind
    return entry


def manifest(packed: bytes, shift: tuple[int, int] = (0, 0)) -> Manifest:
    """Return the content of a tar, without the `shift` of user and group ids; paths start at the folder `dive`."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for entry in tar:
            path = PurePosixPath(entry.name)
            short = path.relative_to("etc") if path.is_relative_to("etc") else path
            file = tar.extractfile(entry) if entry.isreg() else None
            content = sha256(file.read()).hexdigest() if file else entry.linkname
            owner = f"{_unshifted(entry.uid, shift[0])}:{_unshifted(entry.gid, shift[1])}"
            found[str(short)] = f"{entry.type!r} {owner} {entry.mode & 0o7777:o} {content}"
    return found


def _unshifted(id_: int, shift: int) -> int:
    return id_ - shift if id_ >= shift else id_  # later engines do it themselves


def digest(contents: Manifest) -> str:
    """Return 16 hex digits over a manifest."""
    return sha256("\n".join(f"{path} {entry}" for path, entry in sorted(contents.items())).encode()).hexdigest()[:16]


def difference(expected: Manifest, found: Manifest) -> dict[str, str]:
    """Return each path that differs with `missing`, `added` or `changed`; never the content of a file."""
    words = {(True, False): "missing", (False, True): "added", (True, True): "changed"}
    paths = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    return {path: words[path in expected, path in found] for path in paths}


def read(container: Container) -> Manifest:
    """Return the files in a container, running or not; none if someone created it without their volume."""

    def look() -> Manifest:
        try:
            stream, _ = container.get_archive(FILES)
        except NotFound:
            return {}
        assert container.client is not None  # it is of one
        return manifest(b"".join(stream), id_shift(container.client))

    return PROBES.get(("files", container.id), look)


def id_shift(client: docker.DockerClient) -> tuple[int, int]:
    """Return by how much the engine shifts user and group ids (`userns-remap`); it shows those of the machine."""
    with _ASKING:  # containers are read side by side: one asks for all
        return _id_shift(client)


@lru_cache(maxsize=4)  # by client
def _id_shift(client: docker.DockerClient) -> tuple[int, int]:
    found = client.info()
    if not any("name=userns" in option for option in found.get("SecurityOptions") or ()):
        return 0, 0
    user, _, group = PurePosixPath(found["DockerRootDir"]).name.partition(".")  # of the form 100000.100000
    return int(user), int(group)


def text(container: Container, path: str) -> str:
    """Return the text of one file in a container; raises `NotFound` without it."""
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return file.read().decode() if file else ""


def mounted(container: Container, volume: str) -> bool:
    return any(m["Destination"] == FILES and m.get("Name") == volume for m in container.attrs["Mounts"])


def write(
    client: docker.DockerClient,
    volume: str,
    contents: Mapping[str, str],
    owner: int,
    image: str,
    labels: Mapping[str, str],
    only: Collection[str] = (),
) -> str:
    """Write the files, or `only` these, into the volume through a container of `image`; return the hash over all."""
    packed = pack({path: contents[path] for path in only or contents}, owner)
    with crash_point("make volume of files"):
        client.volumes.create(volume, labels=dict(labels))  # Docker returns one that exists
    with carrier(client, volume, image, labels) as holder, crash_point("write files"):
        holder.put_archive("/", packed)
    return digest(manifest(pack(contents, owner)))


@contextmanager
def carrier(client: docker.DockerClient, volume: str, image: str, labels: Mapping[str, str]) -> Iterator[Container]:
    """Create a container that is never started, to carry files into or out of the volume."""
    mine = {key: labels[key] for key in (STACK_LABEL, SERVICE_LABEL) if key in labels}
    marks = [f"{key}={value}" for key, value in {**mine, CARRIER_LABEL: "files"}.items()]
    for old in client.containers.list(all=True, filters={"label": marks}):  # left by an interrupted run
        old.remove(v=True)
    with crash_point("make carrier"):
        made = client.containers.create(
            image,
            name=f"{volume}-carrier",
            entrypoint=["/none"],
            mounts=[Mount(FILES, volume)],
            labels={**labels, CARRIER_LABEL: "files"},
        )
    try:
        yield made
    finally:
        with crash_point("remove carrier"):
            made.remove(v=True)  # with the volumes that the image declares
