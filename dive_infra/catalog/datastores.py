"""The datastores of a country: Postgres, MongoDB and Redis. TLS only, passwords from files, no anonymous access."""

from collections.abc import Mapping

from dive_infra.catalog.spec import CA, CERTIFICATE, FILES, KEY, HealthCheck, Material, ServiceSpec
from dive_infra.config.naming import Names

POSTGRES_IMAGE = "postgres:18.1-bookworm"
MONGODB_IMAGE = "mongo:8.0.17"
REDIS_IMAGE = "redis:7.4.7-bookworm"

SUPERUSER = "postgres"  # of Postgres
ROOT_USER = "root"  # of MongoDB

POSTGRES_PASSWORD = MONGODB_PASSWORD = f"{FILES}/password"
POSTGRES_DATA = "/var/lib/postgresql/cluster"
_PG_HBA = f"{FILES}/pg_hba.conf"
_MONGODB_PEM = f"{FILES}/mongodb.pem"  # certificate and key in one file, as mongod wants them
_REDIS_CONF = f"{FILES}/redis.conf"

POSTGRES_RULES = "local   all all     scram-sha-256\nhostssl all all all scram-sha-256\n"

_POSTGRES_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "*",
    "hba_file": _PG_HBA,
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_cert_file": CERTIFICATE,
    "ssl_key_file": KEY,
    "ssl_min_protocol_version": "TLSv1.3",
    "shared_buffers": "64MB",
    "jit": "off",
}


# What initdb writes into postgresql.conf, of all versions that are declared or built here.
POSTGRES_SHIPPED: Mapping[str, tuple[str, ...]] = {
    "autovacuum_worker_slots": ("16",),
    "datestyle": ("iso, mdy",),
    "default_text_search_config": ("pg_catalog.english",),
    "dynamic_shared_memory_type": ("posix",),
    "listen_addresses": ("*",),
    **dict.fromkeys(("lc_messages", "lc_monetary", "lc_numeric", "lc_time"), ("C.UTF-8",)),
    "log_timezone": ("Etc/UTC",),
    "max_connections": ("100",),
    "max_wal_size": ("1GB",),
    "min_wal_size": ("80MB",),
    "shared_buffers": ("128MB",),
    "timezone": ("Etc/UTC",),
}


def postgres(names: Names, hub: Names) -> ServiceSpec:
    """Return Postgres; its superuser `postgres` has the secret `postgres-superuser`."""
    port = names.port("postgres")
    settings = {"port": str(port), **_POSTGRES_SETTINGS}

    def files(material: Material) -> dict[str, str]:
        return material.tls() | {POSTGRES_PASSWORD: material.secrets["postgres-superuser"], _PG_HBA: POSTGRES_RULES}

    return ServiceSpec(
        name="postgres",
        image=POSTGRES_IMAGE,
        uid=999,
        files=files,
        secrets=("postgres-superuser",),
        command=("postgres", *(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))),
        environment={
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_PASSWORD_FILE": POSTGRES_PASSWORD,
            # One folder for all major versions: another one refuses the files instead of starting empty beside them.
            "PGDATA": POSTGRES_DATA,
            "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C.UTF-8 --data-checksums",
        },
        # By TCP: while the image makes a new cluster, the server listens on its socket only.
        health=HealthCheck(("pg_isready", "-q", "-h", "localhost", "-p", str(port), "-U", SUPERUSER)),
        data="/var/lib/postgresql",
        tmpfs=("/tmp", "/var/run/postgresql"),
        memory_mb=512,
        stop_grace=30,
    )


def mongodb(names: Names, hub: Names) -> ServiceSpec:
    """Return MongoDB (or FerretDB with its interface); its user `root` has the secret `mongodb`."""
    port = names.port("mongodb")

    def files(material: Material) -> dict[str, str]:
        pair = material.certificate.rstrip("\n") + "\n" + material.key
        return {_MONGODB_PEM: pair, CA: material.ca, MONGODB_PASSWORD: material.secrets["mongodb"]}

    # By the container's address: while the image creates its root user, the server listens on loopback only. A
    # connection alone proves nothing: the kernel accepts it for a blocked server too. Both images have openssl, which
    # their ca-certificates needs.
    greets = (
        f"timeout 3 openssl s_client -connect $HOSTNAME:{port} -CAfile {CA} -verify_return_error </dev/null >/dev/null"
    )
    return ServiceSpec(
        name="mongodb",
        image=MONGODB_IMAGE,
        uid=999,
        files=files,
        secrets=("mongodb",),
        command=(
            *("mongod", "--port", str(port), "--bind_ip_all"),
            *("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", _MONGODB_PEM, "--tlsCAFile", CA),
            "--tlsAllowConnectionsWithoutCertificates",  # clients prove themselves by password
        ),
        environment={"MONGO_INITDB_ROOT_USERNAME": ROOT_USER, "MONGO_INITDB_ROOT_PASSWORD_FILE": MONGODB_PASSWORD},
        health=HealthCheck(("sh", "-c", greets)),
        data="/data/db",
        tmpfs=("/tmp", "/var/run/postgresql", "/data/configdb"),
        memory_mb=768,
        pids=400,
        stop_grace=30,
    )


def redis_settings(port: int, password: str) -> dict[str, str]:
    """Return the lines of redis.conf; its parameters that are not here keep what Redis ships."""
    return {
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": CERTIFICATE,
        "tls-key-file": KEY,
        "tls-ca-cert-file": CA,
        "tls-auth-clients": "no",  # clients prove themselves by password
        "tls-protocols": '"TLSv1.2 TLSv1.3"',
        "bind": "* -::*",
        "requirepass": password,
        "dir": "/data",
        "appendonly": "yes",
        "maxmemory": "128mb",
        "maxmemory-policy": "volatile-lru",
    }


def redis(names: Names, hub: Names) -> ServiceSpec:
    """Return Redis; its default user has the secret `redis`."""
    port = names.port("redis")

    def files(material: Material) -> dict[str, str]:
        settings = redis_settings(port, material.secrets["redis"])
        return material.tls() | {_REDIS_CONF: "".join(f"{key} {value}\n" for key, value in settings.items())}

    # The password is in the environment of this one command: the process list shows arguments.
    ping = (
        f"REDISCLI_AUTH=$(sed -n 's/^requirepass //p' {_REDIS_CONF}) "
        f"redis-cli --no-auth-warning --tls --cacert {CA} -h localhost -p {port} ping | grep -q PONG"
    )
    return ServiceSpec(
        name="redis",
        image=REDIS_IMAGE,
        uid=999,
        files=files,
        secrets=("redis",),
        command=("redis-server", _REDIS_CONF),
        health=HealthCheck(("sh", "-c", ping)),
        data="/data",
        memory_mb=256,
    )
