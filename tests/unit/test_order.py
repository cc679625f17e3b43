"""An update waits where order matters; a preview, in which nothing is begun, does not."""

from unittest.mock import sentinel

import pulumi
import pytest

from dive_infra.components.order import first


@pytest.mark.parametrize(("preview", "waits"), [(False, True), (True, False)])
def test_only_an_update_waits(monkeypatch: pytest.MonkeyPatch, preview: bool, waits: bool) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    assert (sentinel.resource in first(sentinel.resource)) is waits
