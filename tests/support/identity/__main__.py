"""Two countries' realms on one Keycloak, and their link through the gateway, as the stacks declare them."""

import json
import os
from pathlib import Path

import pulumi
import pulumi_keycloak as keycloak

from dive_infra.components.federation_link import FederationLink, LinkArgs
from dive_infra.components.link_access import LinkAccess, LinkAccessArgs
from dive_infra.components.realm import Realm, RealmArgs
from dive_infra.config.countries import COUNTRIES
from dive_infra.config.naming import LOOPBACK, Names
from dive_infra.dynamic.users import TestUsers
from dive_infra.identity.link_policy import BASE_PATH, link_account

told = json.loads(Path(os.environ["IDENTITY_TEST"]).read_text())
secret = pulumi.Output.secret
hub, spoke = (Names(COUNTRIES[code], told["namespace"], "", told["ports"]) for code in ("USA", "FRA"))
access = {"url": f"https://{LOOPBACK}:{hub.port('keycloak')}", "ca": told["ca"], "client_secret": told["deployer"]}
common = {"root_ca_certificate": told["ca"], "initial_login": False, "client_timeout": 60}

own = keycloak.Provider(
    "own", url=access["url"], realm="master", client_id="dive-deployer", client_secret=told["deployer"], **common
)
on_own = pulumi.ResourceOptions(provider=own)
realms: list[pulumi.Resource] = [
    Realm(names.country.lower, RealmArgs(names, secret(told["portal"])), on_own) for names in (hub, spoke)
]
after = pulumi.ResourceOptions(provider=own, depends_on=realms)
lent_access = LinkAccess(
    "link-access",
    LinkAccessArgs(hub, {"FRA": secret(told["link"]), "DEU": secret(told["link"])}, secret(told["gateway"]), access),
    after,
)
for names in (hub, spoke):
    TestUsers(
        f"{names.country.lower}-users", names, access, secret(told["users"]), pulumi.ResourceOptions(depends_on=realms)
    )
if told["linked"]:
    lent = keycloak.Provider(
        "lent",
        url=f"https://{LOOPBACK}:{hub.port('backend')}",
        base_path=BASE_PATH,
        realm=hub.realm,
        client_id=link_account(spoke),
        client_secret=told["link"],
        **common,
    )
    after_hub = pulumi.ResourceOptions(depends_on=[*realms, lent_access])
    FederationLink("link", LinkArgs(spoke, hub, own, lent, access), after_hub)
