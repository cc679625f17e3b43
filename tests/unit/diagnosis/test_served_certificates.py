"""Which certificate a service serves, compared with the issued one."""

import socket
from unittest.mock import MagicMock

import pytest

from dive_infra.checks.runner import CheckUnknown
from dive_infra.checks.spec import InitializationSpec
from dive_infra.crypto import pki
from dive_infra.diagnosis import served_certificates
from tests.unit.checks.specs import FRANCE

CA = pki.issue("root", 30, authority=True)


def test_the_state_of_an_earlier_version_has_no_certificate_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", MagicMock())
    monkeypatch.setattr("ssl.SSLContext.wrap_socket", MagicMock())
    spec = InitializationSpec(FRANCE, "fra", (), (), (), CA.chain)
    for _, _, probe in served_certificates.served(spec):
        with pytest.raises(CheckUnknown, match="an earlier version") as unknown:
            probe()
        assert str(unknown.value.remedy) == "pulumi up -s fra"
