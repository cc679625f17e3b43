"""The roles and databases of a country's Postgres: one of each per service that uses it; none is a superuser."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pulumi
import pulumi_postgresql as postgresql

from dive_infra.catalog.datastores import SUPERUSER
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import POSTGRES_PROVIDER_LOGIN
from dive_infra.dynamic.database_logins import DatabaseLogins
from dive_infra.orchestration.access import DatabaseAccess


@dataclass
class DatabasesArgs:
    """`owners`: database -> (role, password). `host` and `trust_file` come from gates, so that the provider connects
    only to a running server. `remade`: databases that this program can fill again, so that their loss loses no data."""

    names: Names
    host: pulumi.Input[str]
    trust_file: pulumi.Input[str]
    superuser_password: pulumi.Input[str]
    ca: pulumi.Input[str]
    owners: Mapping[str, tuple[str, pulumi.Input[str]]]
    remade: Sequence[str] = ()


class Databases(pulumi.ComponentResource):
    def __init__(self, name: str, args: DatabasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dive:components:Databases", name, None, opts)
        self._args = args
        provider = postgresql.Provider(
            f"{name}-provider",
            host=args.host,
            port=args.names.port("postgres"),
            username=SUPERUSER,
            password=args.superuser_password,
            database=SUPERUSER,
            sslmode="verify-full",
            sslrootcert=args.trust_file,
            connect_timeout=POSTGRES_PROVIDER_LOGIN,
            superuser=True,
            max_connections=4,
            expected_version="15.0.0",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._child = pulumi.ResourceOptions(parent=self, provider=provider)
        self.databases: dict[str, postgresql.Database] = {}
        for database, (role_name, password) in args.owners.items():
            role = self.login(f"{database}-role", role_name, password)
            self.databases[database] = postgresql.Database(
                f"{name}-{database}",
                name=database,
                owner=role.name,
                template="template0",
                encoding="UTF8",
                lc_collate="C.UTF-8",
                lc_ctype="C.UTF-8",
                allow_connections=True,
                opts=self._child,
            )
        passwords = dict(args.owners.values())
        owners = {database: role for database, (role, _) in args.owners.items()}
        made = [*self.databases.values()]
        # Two resources: a changed password must not announce a change of what depends on a database.
        self.logins = self.keep(f"{name}-logins", made, passwords=passwords)
        # What needs a database depends on this.
        self.kept = self.keep(f"{name}-kept", [*made, self.logins], owners=owners, remade=args.remade)
        self.register_outputs({"databases": sorted(args.owners)})

    def keep(
        self,
        name: str,
        after: Sequence[pulumi.Resource],
        passwords: Mapping[str, pulumi.Input[str]] | None = None,
        owners: Mapping[str, str] | None = None,
        remade: Sequence[str] = (),
    ) -> DatabaseLogins:
        """Keep these roles able to log in (role -> password) and these databases existing (database -> role)."""
        args = self._args
        names = args.names
        administrator = pulumi.Output.all(args.host, args.superuser_password, args.ca).apply(
            lambda found: asdict(DatabaseAccess.of(names, SUPERUSER, found[1], found[2], SUPERUSER))
        )
        options = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        held: pulumi.Input[Mapping[str, str]] = pulumi.Output.all(**passwords) if passwords else {}
        return DatabaseLogins(name, names.country.code, administrator, held, owners or {}, list(remade), options)

    def login(self, name: str, role: str, password: pulumi.Input[str]) -> postgresql.Role:
        """Create a role that may log in and nothing else."""
        return postgresql.Role(
            f"{self._name}-{name}",
            name=role,
            login=True,
            password=password,
            superuser=False,
            create_database=False,
            create_role=False,
            replication=False,
            bypass_row_level_security=False,
            opts=self._child,
        )
