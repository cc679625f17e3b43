"""The probe before a container: checks that it exists as declared.

Its `generation` is a replacement trigger of the container. A plain `pulumi up` thereby replaces a container that was
removed, or recreated by hand in another way than declared; Pulumi alone would not notice. What can be repaired while
the container runs is left to its gate.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider, ProviderError
from dive_infra.engines import declaration
from dive_infra.engines.declaration import Declared
from dive_infra.engines.engine import ContainerFailed, Engine
from dive_infra.results.codes import Code
from dive_infra.results.remedy import UP, Remedy

_HALF_MADE = "never passed its gate: the run that created it ended before"


class ProbeProvider(Provider):
    replaces = ("container",)

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        engine = engines.connect()
        # The container of an interrupted run, which is not in Pulumi's state.
        declared = declaration.load(inputs["declared"])
        if engine.find(declared).half_made:
            engine.remove_container(declared)
        return inputs["container"], {"generation": 0}

    def drift_reason(self, before: Inputs) -> str | None:
        engine, declared = engines.connect(), declaration.load(before["declared"])
        now = engine.find(declared)
        if not now.exists:
            return "does not exist"
        if now.half_made:
            return _HALF_MADE
        found = engine.differences(now, declared)
        return "; ".join(str(d) for d in found if not d.in_place) or None

    def update_resource(self, inputs: Inputs, before: Inputs) -> Outputs:
        declared, image = declaration.load(inputs["declared"]), before["declared"]["image"]
        if declared.image != image:
            _refuse_other_postgres(engines.connect(), declared, image)
        # A change of the declaration replaces the container by itself; only drift needs the trigger.
        if self.drift_reason(before) is None:
            return {"generation": before["generation"]}
        # Pulumi deletes only the container in its state; another one would keep the name and the ports.
        engines.connect().remove_container(declared)
        return {"generation": int(before["generation"]) + 1}


def _refuse_other_postgres(engine: Engine, declared: Declared, image: str) -> None:
    """Raise if the declared image is of another major version of Postgres than the data, which it cannot read.

    The container, and without one its last `image`, says what the data is of. Only Postgres declares PGDATA; an image
    that does not set PG_MAJOR is left to the server, which refuses the data itself.
    """
    folder, wanted = declared.environment.get("PGDATA"), engine.image_environment(declared.image).get("PG_MAJOR")
    if not folder or not wanted:
        return
    try:
        found = engine.read_file(declared.name, f"{folder}/PG_VERSION").strip()
    except ContainerFailed:
        found = engine.image_environment(image).get("PG_MAJOR", wanted)
    if found != wanted:
        raise ProviderError(
            f"the data of {declared.name} is of Postgres {found}, its new image of Postgres {wanted}; the container is "
            "kept",
            Remedy.decide(
                f"keep the version: pulumi config set --path dive:images.postgres <an image of {found}>, then: {UP}",
                f"move the data to Postgres {wanted} (pg_upgrade), then: {UP}",
            ),
            Code.VOLUME_OR_DISK,
            expected=f"an image of Postgres {found}",
        )


class Probe(Resource, module="dive", name="Probe"):
    """`declared` is an `engines.declaration.Declared` as plain data."""

    generation: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        container: str,
        declared: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {"container": container, "declared": declared, "generation": None}
        super().__init__(ProbeProvider(), name, props, opts)
