"""Which engine is meant, and that no part of it can become an option of a command."""

import pytest

from dive_infra.config.engine_selection import EngineSelection, SshTarget, ssh_target


@pytest.mark.parametrize(
    ("address", "certificates"),
    [
        ("", ""),
        ("unix:///run/user/1000/docker.sock", ""),
        ("context:rootless", ""),
        ("ssh://engine.example", ""),
        ("ssh://anne@engine.example:22", ""),
        ("ssh://anne@[2001:db8::1]:22", ""),
        ("tcp://10.0.0.5:2376", ".dive/engine"),
        ("tcp://[::1]:2376", "/etc/dive/engine"),
    ],
)
def test_each_form_is_accepted(address: str, certificates: str) -> None:
    assert EngineSelection(address, certificates).flaw == ""


FORMS = "expected unix:///path, context:NAME, ssh://[user@]host[:port] or tcp://host:port"


@pytest.mark.parametrize(
    "address",
    [
        "/var/run/docker.sock",
        "unix://docker.sock",
        "unix:///with a blank",
        "context:",
        "context:-H",
        "ssh://",
        "ssh://-oProxyCommand=touch",
        "ssh://-oProxyCommand=touch@host",
        "ssh://anne@-host",
        "ssh://anne:word@host",
        "ssh://host/var/run/docker.sock",
        "ssh://host:0",
        "ssh://host:65536",
        "ssh://host:22:22",
        "ssh://host name",
        "ssh://host\n",
        "tcp://host",
        "tcp://-host:2376",
        "tcp://host:99999",
        "http://host:2375",
        "npipe:////./pipe/docker",
    ],
)
def test_any_other_is_named_with_what_is_expected(address: str) -> None:
    assert EngineSelection(address).flaw == f"engine: found {address!r}, {FORMS}"
    assert not ssh_target(address)


def test_tls_needs_certificates_and_nothing_else_has_them() -> None:
    assert EngineSelection("tcp://host:2376").flaw == (
        "engineCertificates: not set, expected the folder with ca.pem, cert.pem, key.pem for tcp://host:2376"
    )
    for address in ("", "ssh://host", "context:x", "unix:///x"):
        assert EngineSelection(address, "folder").flaw == (
            "engineCertificates: found 'folder', expected it only with an engine at tcp://host:port"
        )


def test_where_ssh_leads_to() -> None:
    assert ssh_target("ssh://anne@[2001:db8::1]:2222") == SshTarget("anne", "2001:db8::1", "2222")
    assert ssh_target("ssh://host") == SshTarget("", "host", "")
    assert ssh_target("tcp://host:1") is None
    assert EngineSelection("context:a.b").context == "a.b"
