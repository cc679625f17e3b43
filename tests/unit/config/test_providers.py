"""What a state holds of a provider is known without loading it."""

import dill
import pytest
from pulumi.dynamic import ResourceProvider

from dive_infra.config import providers
from tests.support import providers as found


@pytest.mark.parametrize("kind", found.providers(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", providers.PROTOCOLS)
def test_the_pickle_of_a_provider_is_what_the_sdk_writes(kind: type[ResourceProvider], protocol: int) -> None:
    known = {**providers.PROVIDERS, **providers.FORMER}
    resource = next((r for r in known if f"{kind.__module__}:{kind.__name__}" in providers.paths(r)), "")
    written = dill.dumps(kind(), protocol=protocol, recurse=True)  # as `serialize_provider` does
    assert (written in providers.pickles(resource)) is bool(resource)  # a base class is no resource's provider
    assert (written in providers.all_pickles()) is bool(resource)


def test_a_renamed_provider_is_known_at_its_old_path_for_its_resource_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "FORMER", {"Probe": ("dive_infra.dynamic.watch:WatchProvider",)})
    assert providers.paths("Probe") == (
        "dive_infra.dynamic.probe:ProbeProvider",
        "dive_infra.dynamic.watch:WatchProvider",
    )
    assert providers.paths("Gate") == ("dive_infra.dynamic.gate:GateProvider",)
    assert providers.paths("Resource") == ()
