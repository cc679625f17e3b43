"""A Pulumi program that declares what must never be deployed: a test previews it, and it is refused."""

import pulumi
import pulumi_docker as docker
import pulumi_keycloak as keycloak

CANARY = "canary-5d1e9b"


def declare() -> None:
    docker.Container(
        "container",
        image="nginx:latest",
        ports=[docker.ContainerPortArgs(internal=80, external=80, ip="0.0.0.0")],
        privileged=True,
        volumes=[docker.ContainerVolumeArgs(host_path="/var/run/docker.sock", container_path="/var/run/docker.sock")],
        envs=[f"DB_PASSWORD={CANARY}", pulumi.Output.secret(CANARY).apply("COLOUR={}".format)],
    )
    docker.Volume("volume", name="data")
    elsewhere = keycloak.Provider(
        "keycloak", url="https://keycloak.invalid", client_id="x", client_secret=CANARY, initial_login=False
    )
    under = pulumi.ResourceOptions(provider=elsewhere)
    keycloak.Realm("realm", realm="open", ssl_required="none", opts=under)
    keycloak.openid.Client(
        "client",
        realm_id="open",
        client_id="client",
        access_type="PUBLIC",
        standard_flow_enabled=True,
        implicit_flow_enabled=True,
        valid_redirect_uris=["*"],
        opts=under,
    )


if __name__ == "__main__":
    declare()
