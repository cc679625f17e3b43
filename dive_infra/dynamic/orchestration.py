"""The schema of the orchestration database."""

from dataclasses import asdict
from typing import Any

import pulumi
from psycopg import Connection
from pulumi.dynamic import Resource

from dive_infra.config.environment import accepted_losses
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.orchestration import connection, schema
from dive_infra.orchestration.access import DATABASE, DatabaseAccess, NewerSchema, OlderSchema, SchemaMismatch
from dive_infra.plans import provider_messages


def access_of(plain: Inputs) -> DatabaseAccess:
    """Return the login in a resource's inputs, where every number is a float."""
    return DatabaseAccess(**{**plain, "port": int(plain["port"])})


def plain(access: pulumi.Input[DatabaseAccess] | None) -> pulumi.Output[dict[str, Any]] | None:
    """Return a login as a secret input."""
    return None if access is None else pulumi.Output.secret(pulumi.Output.from_input(access).apply(asdict))


class OrchestrationSchemaProvider(Provider):
    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        access = access_of(inputs["access"])
        with connection.connect(access, "dive migrations") as live, connection.translated_errors():
            self._accept_loss(live)
            taken = schema.migrate(live)
            schema.compare(live)
        if taken:
            tell(provider_messages.migrated(taken, schema.VERSION))
        return DATABASE, {"ready": DATABASE}

    def drift_reason(self, before: Inputs) -> str | None:
        with connection.connect(access_of(before["access"]), "dive check") as live, connection.translated_errors():
            try:
                schema.compare(live)
            except NewerSchema:
                raise
            except SchemaMismatch as error:
                return str(error)
        return None

    @staticmethod
    def _accept_loss(live: "Connection[Any]") -> None:
        """Drop a damaged schema, with every record in it, if that loss is accepted."""
        if DATABASE not in accepted_losses():
            return
        try:
            schema.compare(live)
        except (NewerSchema, OlderSchema):
            return
        except SchemaMismatch:
            schema.drop(live)
            tell(provider_messages.record_loss_accepted())


class OrchestrationSchema(Resource, module="dive", name="OrchestrationSchema"):
    """The migrated schema; `ready` is the database's name once it is at this program's version."""

    ready: pulumi.Output[str]

    def __init__(
        self, name: str, access: pulumi.Input[DatabaseAccess], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {"access": plain(access), "version": schema.VERSION, "ready": None}
        super().__init__(OrchestrationSchemaProvider(), name, props, opts)


class AdmissionProvider(Provider):
    """Retired: a country's rights in the hub's record, which the schema has revoked.

    The states of the previous release name it. Deletes nothing; no program declares the resource.
    """
