"""Pulumi's provider for the engine that the settings name. Without them its default one finds the engine, as ever."""

import pulumi
import pulumi_docker as docker

from dive_infra.config import environment
from dive_infra.engines.engine import Endpoint


def plugin(name: str, engine: Endpoint, opts: pulumi.ResourceOptions | None = None) -> docker.Provider:
    """Declare Pulumi's provider for this engine, regardless of Docker's variables."""
    # A preview from the state may be on a machine that knows neither the context nor the certificates.
    kept = ["host", "certPath"] if environment.asks_no_engine() else None
    # Empty, not unset: an unset argument takes the value of its variable, and a context goes before the host.
    return docker.Provider(
        name,
        host=engine.address,
        cert_path=engine.certificates,
        context="",
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=kept)),
    )
