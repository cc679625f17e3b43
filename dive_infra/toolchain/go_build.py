"""Build programs from the Go modules in `toolchain/`, once for each state of their inputs."""

import fcntl
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from dive_infra.config import environment
from dive_infra.config.paths import ROOT
from dive_infra.results.errors import DiveError

Progress = Callable[[str], None]

SOURCES = ROOT / "toolchain"
HEARTBEAT = 10.0  # seconds between two lines of progress while Go builds
LOG_LINES = 20


class ToolchainError(DiveError):
    """A program of the toolchain can neither be found nor built; the message ends with what to do."""


@dataclass(frozen=True)
class Program:
    """One program: the Go `package` built in the directory `module` of `toolchain/`.

    `stamp` is a variable that the linker sets (`path.Version=v1`), `tags` are Go's build tags.
    """

    module: str
    package: str = "."
    stamp: str | None = None
    tags: str = ""


@dataclass(frozen=True)
class Script:
    """A plain file inside the archive of `dependency`, as the directory `module` of `toolchain/` pins it."""

    module: str
    dependency: str
    path: str


@dataclass(frozen=True)
class Bundle:
    """Programs that are built, cached and found together; the keys are file names."""

    programs: dict[str, Program]
    scripts: dict[str, Script] = field(default_factory=dict[str, Script])

    @property
    def modules(self) -> list[str]:
        """Return the directories of `toolchain/` that go into it."""
        return sorted({p.module for p in self.programs.values()} | {s.module for s in self.scripts.values()})

    def key(self) -> str:
        """Return 16 hex digits over everything that decides the outcome, except Go's own version."""
        digest = sha256(f"{self!r} {platform.system()} {platform.machine()}".encode())
        for module in self.modules:
            for file in sorted(path for path in (SOURCES / module).rglob("*") if path.is_file()):
                digest.update(f"\0{file.relative_to(SOURCES)}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:16]


def directory(name: str, bundle: Bundle, cache: Path) -> Path:
    """Return the folder of a bundle's programs, which may not exist yet."""
    return cache / "toolchain" / f"{name}-{bundle.key()}" / "bin"


def ensure(name: str, bundle: Bundle, cache: Path, progress: Progress) -> Path:
    """Return the folder with the bundle's programs, built if missing. Raises `ToolchainError`."""
    target = directory(name, bundle, cache)
    if target.is_dir():
        return target
    with building(target.parent, progress) as work:
        if work:
            (work / "bin").mkdir()
            _check_go(bundle)
            for file, program in bundle.programs.items():
                _build(program, work / "bin" / file, progress)
            for file, script in bundle.scripts.items():
                source = _go(script.module, "list", "-m", "-f", "{{.Dir}}", script.dependency).strip()
                shutil.copyfile(Path(source, script.path), work / "bin" / file)
                (work / "bin" / file).chmod(0o755)
    return target


@contextmanager
def building(target: Path, progress: Progress) -> Iterator[Path | None]:
    """Yield a scratch folder that becomes `target` as a whole if the block succeeds.

    None if another process created it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another process that makes {target.name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            yield None
            return
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
            work = Path(scratch, target.name)
            work.mkdir()
            yield work
            work.rename(target)


def _check_go(bundle: Bundle) -> None:
    if shutil.which("go") is None:
        required = max(map(_required_go, bundle.modules))
        raise ToolchainError(
            "go: not found on PATH, and the toolchain must be built here; "
            f"install Go {_dotted(required)} or newer (https://go.dev/dl) and run this again"
        )
    for module in bundle.modules:
        # inside the module: Go may fetch the newer version of itself that the module needs
        found = _version(_go(module, "env", "GOVERSION"))
        if found < (required := _required_go(module)):
            raise ToolchainError(
                f"go: found {_dotted(found)}, but toolchain/{module} needs {_dotted(required)} or newer; "
                "install it (https://go.dev/dl) and run this again"
            )


def _build(program: Program, output: Path, progress: Progress) -> None:
    link = "-s -w" + (f" -X {program.stamp}" if program.stamp else "")
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", program.tags, "-ldflags", link]
    progress(f"building {output.name}")
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        command = ["go", "build", *flags, "-o", str(output), program.package]
        process = subprocess.Popen(command, cwd=SOURCES / program.module, env=_environment(), stdout=log, stderr=log)
        try:
            while (code := _wait(process)) is None:
                progress(f"building {output.name}: {time.monotonic() - begun:.0f} s")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if code:
            log.seek(0)
            raise _failed(command, program.module, log.read())


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(HEARTBEAT)
    except subprocess.TimeoutExpired:
        return None


def _go(module: str, *arguments: str) -> str:
    command = ["go", *arguments]
    done = subprocess.run(command, cwd=SOURCES / module, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise _failed(command, module, done.stderr)
    return done.stdout


def _environment() -> dict[str, str]:
    """Return the machine's own settings of Go, for static programs."""
    return {**environment.counting(os.environ), "CGO_ENABLED": "0", "GOWORK": "off"}


def _failed(command: list[str], module: str, log: str) -> ToolchainError:
    end = "\n".join(log.strip().splitlines()[-LOG_LINES:])
    return ToolchainError(
        f"`{' '.join(command)}` failed in toolchain/{module}:\n{end}\n"
        "check that the Go module proxy answers (`go env GOPROXY`) and run this again; what is built is kept"
    )


def _required_go(module: str) -> tuple[int, ...]:
    return _version((SOURCES / module / "go.mod").read_text(), r"^go ")


def _version(text: str, prefix: str = "") -> tuple[int, ...]:
    found = re.search(prefix + r"\D*(\d+(?:\.\d+)*)", text, re.MULTILINE)
    if found is None:
        raise ToolchainError(f"go: no version in {text.strip()!r}; expected one like go1.26.0, see `go version`")
    return tuple(map(int, found[1].split(".")))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
