"""Two countries' realms on one Keycloak, and both sides of their link, as the stacks declare them."""

import json
import os
from pathlib import Path

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.components.federation_link import FederationLink, LinkArgs
from dive_infra.components.realm import Realm, RealmArgs
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.dynamic.users import TestUsers

told = json.loads(Path(os.environ["IDENTITY_TEST"]).read_text())
secret = pulumi.Output.secret
hub, spoke = (Names(COUNTRIES[code], told["namespace"], "", told["ports"]) for code in ("USA", "FRA"))
access = {"url": f"https://{LOOPBACK}:{hub.port('keycloak')}", "ca": told["ca"], "client_secret": told["deployer"]}
own = keycloak.Provider(
    "own",
    url=access["url"],
    realm="master",
    client_id="dive-deployer",
    client_secret=told["deployer"],
    root_ca_certificate=told["ca"],
    initial_login=False,
    client_timeout=60,
)
on_own = pulumi.ResourceOptions(provider=own)
realms: list[pulumi.Resource] = [
    Realm(names.country.lower, RealmArgs(names, secret(told["portal"])), on_own) for names in (hub, spoke)
]
after = pulumi.ResourceOptions(provider=own, depends_on=realms)
for names in (hub, spoke):
    TestUsers(
        f"{names.country.lower}-users", names, access, secret(told["users"]), pulumi.ResourceOptions(depends_on=realms)
    )
if told["linked"]:
    for names, partner in ((hub, spoke), (spoke, hub)):
        FederationLink(f"link-to-{partner.country.lower}", LinkArgs(names, partner, access), after)
