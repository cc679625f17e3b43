"""The seed data of a country: compared in each diff; only documents that differ are written."""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dive_infra.config.naming import Names
from dive_infra.config.timeouts import DIFF_REQUEST, SEED_REQUEST
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.plans import provider_messages
from dive_infra.seeds.batches import Batch, batches
from dive_infra.seeds.loader import Loader
from dive_infra.seeds.store import SeedStoreAccess, connect


class SeedProvider(Provider):
    replaces = ("country", "namespace")

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        counts: dict[str, int] = {}
        with connect(_target(inputs)) as database:
            loader = Loader(database)
            for batch in _batches(inputs):
                done = loader.load(batch)
                counts[batch.collection] = len(batch.documents)
                if done.inserted or done.replaced or done.removed:
                    counted = (done.inserted, done.replaced, done.removed, done.kept)
                    tell(provider_messages.seeded(batch.collection, *counted))
        return f"{inputs['namespace']}/{inputs['country']}", {"counts": counts}

    def drift_reason(self, before: Inputs) -> str | None:
        off: list[str] = []
        with connect(_target(before, patience=DIFF_REQUEST)) as database:
            for batch in _batches(before):
                state = Loader(database).inspect_sample(batch)
                if not state.valid:
                    off.append(
                        f"{batch.collection}: {len(state.missing)} missing, {len(state.altered)} altered, "
                        f"{len(state.extra)} extra"
                    )
        return "; ".join(off) or None


class Seed(Resource, module="dive", name="Seed"):
    """`counts`: collection -> documents of the seed; documents are sealed for `kas_key` (PEM, public)."""

    counts: pulumi.Output[dict[str, int]]

    def __init__(
        self,
        name: str,
        names: Names,
        partners: list[Names],
        documents: int,
        kas_key: pulumi.Input[str],
        password: pulumi.Input[str],
        ca: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            **names.plain(),
            "partners": [p.plain() for p in partners],
            "documents": documents,
            "kas_key": kas_key,
            "password": pulumi.Output.secret(password),
            "ca": ca,
            "counts": None,
        }
        super().__init__(SeedProvider(), name, props, opts)


def _batches(inputs: Inputs) -> list[Batch]:
    names = Names.of_plain(inputs)
    partners = [Names.of_plain(partner) for partner in inputs["partners"]]
    return batches(names, partners, inputs["kas_key"], int(inputs["documents"]))


def _target(inputs: Inputs, patience: float = SEED_REQUEST) -> SeedStoreAccess:
    return SeedStoreAccess.of(Names.of_plain(inputs), inputs["password"], inputs["ca"], patience)
