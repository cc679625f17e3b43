"""The health checks that ask a service over HTTPS, run against a server with a certificate of its host alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from dive_infra.catalog.services import services
from dive_infra.catalog.spec import CA, ServiceSpec
from dive_infra.config.countries import HUB, parse
from dive_infra.config.naming import Names
from dive_infra.toolchain import toolchain
from tests.support.https_server import ROOT, serving

USA, FRA = Names(HUB), Names(parse("FRA"))
ASKING = [
    pytest.param(names, spec, id=f"{names.country.code} {spec.name}")
    for names, partner in ((USA, FRA), (FRA, USA))
    for spec in services(names, USA, [partner], {})
    if spec.health.test[0] in ("python", "/opa")
]


def passes(spec: ServiceSpec, asked: int, port: int, ca: Path) -> bool:
    """Run the check of a service on this machine, against the server at `port` instead of `asked`."""
    program, *words = (word.replace(str(asked), str(port)).replace(CA, str(ca)) for word in spec.health.test)
    here = {"python": sys.executable, "/opa": toolchain.binary("opa", print)}[program]
    return subprocess.run([here, *words], capture_output=True, check=False, timeout=60).returncode == 0


def test_every_service_with_https_of_its_own_is_asked() -> None:
    assert {spec.name for _, spec in (param.values for param in ASKING)} == {
        "backend", "kas", "frontend", "opa", "opal-server", "opal-client",
    }  # fmt: skip


@pytest.mark.parametrize(("names", "spec"), ASKING)
def test_a_health_check_expects_the_certificate_of_the_services_host(
    names: Names, spec: ServiceSpec, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text(ROOT.chain)
    for host, healthy in ((names.host(spec.name), True), (names.host("postgres"), False)):
        with serving(host) as port:
            assert passes(spec, names.port(spec.name), port, tmp_path / "ca.pem") == healthy, host
