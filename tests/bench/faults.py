"""Faults whose healing is measured: one of each kind."""

from dive_infra.orchestration.states import Phase
from dive_infra.results.remedy import RemedyKind
from dive_infra.seeds.store import connect
from tests.coalition.live import documents
from tests.faults import engine
from tests.faults.fault import Fault, Scene
from tests.faults.realm import mapper_deleted


def _document(scene: Scene) -> None:
    with connect(documents(scene.hurt)) as database:
        first = min(d["_id"] for d in database["resources"].find({}, {"_id": True}))
        database["resources"].update_one({"_id": first}, {"$set": {"title": "altered"}})


_OF_ENGINE = {f.title: f for f in engine.FAULTS if f.country == "FRA"}

FAULTS = (
    Fault("a document is altered: SEEDING alone runs again", "FRA", _document, Phase.SEEDING),
    _OF_ENGINE["redis is stopped"],
    _OF_ENGINE["redis is removed"],
    Fault("a mapper of the realm is deleted", "FRA", mapper_deleted, Phase.CONFIGURATION, RemedyKind.REFRESH),
)
