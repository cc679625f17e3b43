"""One specification of each phase, for tests of what reads them."""

from dive_infra.catalog.spec import HealthCheck
from dive_infra.checks.spec import (
    ConfigurationSpec,
    ContainerSpec,
    DatabaseSpec,
    DeploymentSpec,
    InitializationSpec,
    PartnerSpec,
    Party,
    PreflightSpec,
    SeedingSpec,
    Spec,
    VerificationSpec,
)
from dive_infra.config.countries import COUNTRIES, HUB
from dive_infra.config.naming import Names
from dive_infra.engines.declaration import Declared
from dive_infra.identity.realm_keys import RealmKey
from dive_infra.orchestration.access import OWNER, DatabaseAccess

FRANCE, USA = Names(COUNTRIES["FRA"], "t-unit", ports={"FRA": {"opa": 9999}}), Names(HUB, "t-unit")
SECRET = "canary-of-a-secret"
ACCESS = DatabaseAccess("postgres.usa", 5432, OWNER, SECRET, "CA")
OPA = Declared("t-unit-fra-opa", "1:1", HealthCheck(("true",)), "sha256:1", ports=(9999,), labels={"dive.stack": "fra"})
KEY = RealmKey("rsa-generated", "kid-1", "RS256", "SIG", "ab12")
CONFIGURATION = ConfigurationSpec(FRANCE, (USA,), "CA", SECRET, SECRET, {FRANCE.realm: (KEY,), "master": ()})
DEPLOYMENT = DeploymentSpec(
    FRANCE,
    (ContainerSpec("opa", "core", OPA, "f1"),),
    (DatabaseSpec("portal", "portal", SECRET),),
    SECRET,
    SECRET,
    SECRET,
    "CA",
    ACCESS,
)
SPECS: tuple[Spec, ...] = (
    PreflightSpec(FRANCE, "fra", ("opa",), "CA", USA, disk=5),
    InitializationSpec(FRANCE, "fra", ("n",), ("v",), ("sha256:1",), "CA", {"opa": "PEM"}),
    DEPLOYMENT,
    CONFIGURATION,
    SeedingSpec(FRANCE, (USA,), 200, {"FRA": "PEM"}, "CA", SECRET, SECRET),
    VerificationSpec(Party(FRANCE, SECRET), (PartnerSpec(USA, "key"),), DEPLOYMENT, "CA", 200),
)
