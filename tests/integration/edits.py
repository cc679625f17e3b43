"""What people change in a coalition, as data: of each, a preview must announce what the update then does."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from dive_infra.config.countries import COUNTRIES
from tests.coalition import checkout
from tests.faults.fault import Scene
from tests.faults.realm import mapper_deleted
from tests.support import members


def _nothing(_scene: Scene) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Edit:
    """One thing that is changed in `country`: settings, given secrets, texts of the program, or the live system.

    `settings` sees the scene and gives settings by key; `files` are paths in the checkout -> (text, what is in its
    place); `harm` changes the live system. `does` are steps that the plan must hold, so that an empty one never passes.
    `quiet`: no container of anybody is replaced or restarted.
    `selected` rows run in every test run, the others with `--whole`.
    """

    title: str
    country: str
    does: frozenset[tuple[str, str]]
    settings: Callable[[Scene], Mapping[str, Any]] = _nothing
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    harm: Callable[[Scene], object] = _nothing
    flags: tuple[str, ...] = ()
    quiet: bool = False
    selected: str = ""

    def make(self, scene: Scene) -> None:
        hurt = scene.hurt
        hurt.configuration |= {f"dive:{key}": value for key, value in self.settings(scene).items()}
        if self.secrets:
            hurt.give(self.secrets)
        if self.files:
            hurt.program = _edited(hurt.program, hurt.home / f"program-{hurt.stack}", self.files)
        self.harm(scene)


def _edited(program: Path, place: Path, files: Mapping[str, tuple[str, str]]) -> Path:
    """A copy of the checkout with these edits, or such a copy edited once more."""
    if program != place:
        shutil.rmtree(place, ignore_errors=True)  # of an earlier run on a kept coalition
        checkout.copy(place)
    for name, (text, instead) in files.items():
        before = (place / name).read_text()
        assert text in before, f"{name} has no {text!r} to edit"
        (place / name).write_text(before.replace(text, instead))
    return place


def _another_image(scene: Scene) -> dict[str, Any]:
    """The same service as another image."""
    now = scene.container("frontend").attrs["Image"]
    file = f"FROM {now}\nLABEL edited={scene.hurt.names.prefix}\n"
    made, _ = scene.engine.images.build(fileobj=BytesIO(file.encode()), rm=True, labels={"dive.edited": "yes"})
    return {"images": {"frontend": made.id}}


def _another_port(scene: Scene) -> dict[str, Any]:
    """One that no partner uses: another of those needs a new request."""
    return {"ports": {"redis": scene.hurt.names.port("redis") + 7}}


def _with_germany(scene: Scene) -> dict[str, Any]:
    members.write_request(scene.hurt.home, scene.hurt.names.of(COUNTRIES["DEU"]))
    return {"spokes": ["FRA", "DEU"]}


def _steps(operation: str, *names: str) -> frozenset[tuple[str, str]]:
    return frozenset((name, operation) for name in names)


_PROVEN = _steps("update", "verification-proof")
_JOINED = _steps(
    "update",
    "coalition",
    "frontend-live",
    "backend-live",
    "kas-live",
    "opal-server-live",
    "keycloak-links",
    "backend-links",
    "opal-server-links",
    "probe-persons",
    "publication",
)
# Those that can be given after the first deployment.
ROTATED = {
    name: f"canary-{name}-0123456789-0123456789" for name in ("redis", "opa-token", "portal-client", "portal-session")
}

EDITS = (
    Edit(
        "more documents",
        "FRA",
        _steps("update", "seed", "seeding-checkpoint") | _PROVEN,
        settings=lambda _: {"documents": 210},
        selected="containers",
    ),
    Edit(
        "a stopped container",
        "FRA",
        _steps("update", "frontend-gate", "deployment-checkpoint") | _PROVEN,
        harm=lambda scene: scene.container("frontend").stop(),  # nothing else suffers from it
    ),
    Edit(
        "another image",
        "FRA",
        _steps("replace", "frontend-container") | _steps("update", "image-frontend", "frontend-gate") | _PROVEN,
        settings=_another_image,
        selected="containers",
    ),
    Edit(
        "rotated secrets",
        "FRA",
        _steps("replace", "redis-container", "redis-files") | _steps("update", "deployment-checkpoint") | _PROVEN,
        secrets=ROTATED,
        selected="containers",
    ),
    Edit(
        "a new spoke at the hub",
        "USA",
        _steps("create", "ca-deu", "probe-deu", "link-to-deu-idp", "link-to-deu-broker") | _JOINED | _PROVEN,
        settings=_with_germany,
        quiet=True,
        selected="hub",
    ),
    Edit(
        "a deleted mapper",
        "FRA",
        _steps("create", "realm-scope-uniqueID-uniqueID") | _steps("update", "configuration-checkpoint") | _PROVEN,
        harm=mapper_deleted,
        flags=("--refresh",),
    ),
    Edit("another port", "FRA", _steps("replace", "redis-container") | _PROVEN, settings=_another_port),
    Edit(
        "an attribute of the users",
        "FRA",
        _steps("update", "test-users", "seeding-checkpoint") | _PROVEN,
        files={"dive_infra/identity/users.py": ("Armed Forces", "Defence Forces")},
    ),
    Edit(
        "an attribute of the realm's people",
        "FRA",
        _steps("update", "realm-probe", "realm-profile", "configuration-checkpoint") | _PROVEN,
        files={"dive_infra/identity/realm_data.py": ('"DIVE attributes"', '"Attributes of DIVE"')},
    ),
    Edit(
        "a secret that the program adds",
        "FRA",
        _steps("create", "secret-spare") | _steps("update", "initialization-checkpoint") | _PROVEN,
        files={
            "dive_infra/config/credentials.py": (
                "CREDENTIALS = (",
                'CREDENTIALS = (Credential("spare", "of no use"),',
            )
        },
    ),
    Edit(
        "another policy",
        "USA",
        _steps("replace", "backend-files", "backend-container") | _PROVEN,
        files={"policies/levels.rego": ("package dive.levels", "# edited\npackage dive.levels")},
    ),
    Edit(
        "a spoke that leaves the hub",
        "USA",
        _steps("delete", "ca-deu", "probe-deu", "link-to-deu-idp", "link-to-deu-broker") | _JOINED | _PROVEN,
        settings=lambda _: {"spokes": ["FRA"]},
        quiet=True,
    ),
)
