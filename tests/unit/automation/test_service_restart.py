"""Restarting services for a repair; `./dive restart` itself is tested on a coalition."""

from typing import Any
from unittest.mock import Mock

import pytest

from dive_infra.automation import service_restart
from dive_infra.automation.service_restart import RestartFailed, restart_or_fail
from dive_infra.engines.restart import Restarted


def test_a_repair_fails_with_each_service_that_is_not_healthy_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: Any = Mock(country="FRA")
    done = [Restarted("opa", 1.0), Restarted("opal-client", 2.0, "exited (1)")]
    monkeypatch.setattr(service_restart, "restart", lambda *_: done)
    with pytest.raises(RestartFailed, match="opal-client: exited") as caught:
        restart_or_fail(settings, ("opa", "opal-client"))
    assert str(caught.value.remedy) == "./dive up FRA"
    done.pop()
    restart_or_fail(settings, ("opa", "opal-client"))
