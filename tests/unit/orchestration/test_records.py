"""Records of the orchestration database, as values."""

from dive_infra.orchestration.records import Proof
from dive_infra.orchestration.states import Phase


def test_a_proof_survives_its_journey() -> None:
    proof = Proof(Phase.PREFLIGHT, "f", "e", "2026-01-01T00:00:00+00:00", 0.5, "r")
    assert Proof.of({**proof.plain(), "recorded": False}) == proof
