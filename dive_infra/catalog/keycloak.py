"""The Keycloak of a country: one realm for its users, in its own database, on its public URL only."""

from dive_infra.catalog.spec import CA, CERTIFICATE, FILES, KEY, HealthCheck, Material, ServiceSpec
from dive_infra.config.naming import DEPLOYER, Names

IMAGE = "quay.io/keycloak/keycloak:26.7.4"
DATABASE = ROLE = "keycloak"

# Baked into the image (images/keycloak-optimized), so that a start neither builds nor writes.
BUILD_OPTIONS = (
    "--db=postgres",
    "--health-enabled=true",
    "--metrics-enabled=true",
    "--features-disabled=impersonation,ciba,device-flow,kerberos",
)

CONFIGURATION = f"{FILES}/keycloak.conf"
_MANAGEMENT_PORT = 9000
_CONNECTS = "spi-connections-http-client--default--establish-connection-timeout-millis"


def keycloak(names: Names, hub: Names) -> ServiceSpec:
    """Return Keycloak; the service account `dive-deployer` of realm master has the secret `keycloak-admin`."""
    database = f"{names.host('postgres')}:{names.port('postgres')}/{DATABASE}"

    def files(material: Material) -> dict[str, str]:
        settings = {
            "db-url": f"jdbc:postgresql://{database}?sslmode=verify-full&sslrootcert={CA}",
            "db-username": ROLE,
            "db-password": material.secrets["keycloak-db"],
            "db-pool-max-size": "20",
            "bootstrap-admin-client-id": DEPLOYER,
            "bootstrap-admin-client-secret": material.secrets["keycloak-admin"],
            "hostname": names.url("keycloak"),
            "hostname-strict": "true",
            "hostname-backchannel-dynamic": "false",
            "http-enabled": "false",
            "https-port": str(names.port("keycloak")),
            "https-certificate-file": CERTIFICATE,
            "https-certificate-key-file": KEY,
            "https-protocols": "TLSv1.3,TLSv1.2",
            "cache": "local",  # one server a country
            "http-management-scheme": "http",  # of use inside the container only: the health check
            "http-management-host": "127.0.0.1",
            "http-management-port": str(_MANAGEMENT_PORT),
            "http-max-queued-requests": "1000",
            # Without a limit, someone who chooses a partner that packets do not reach waits for two minutes. Keycloaks
            # of one engine are never out of reach.
            **({_CONNECTS: "5000"} if names.address else {}),
            "truststore-paths": CA,
            "tls-hostname-verifier": "DEFAULT",
        }
        return material.tls() | {CONFIGURATION: "".join(f"{k}={_literal(v)}\n" for k, v in settings.items())}

    # The official image has neither curl nor grep; bash it has.
    ready = (
        f"exec 3<>/dev/tcp/127.0.0.1/{_MANAGEMENT_PORT}; printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3; "
        "read -r answer <&3; [[ $answer == *' 200 '* ]]"
    )
    return ServiceSpec(
        name="keycloak",
        image=IMAGE,
        uid=1000,
        files=files,
        secrets=("keycloak-db", "keycloak-admin"),
        command=(f"--config-file={CONFIGURATION}", "start", "--optimized"),
        environment={
            "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m",
            # On two cores: first start 22 s, not 54; a password login then costs 127 ms, not 99.
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC",
        },
        health=HealthCheck(("bash", "-c", ready), start_period=180),
        tmpfs=("/tmp", "/opt/keycloak/data"),
        memory_mb=1024,
        cpus=2.0,
        needs=("postgres",),
        linked="partners",
        stop_grace=20,
    )


def _literal(value: str) -> str:
    """Return a value for Keycloak's configuration, which expands `${…}` and reads `$$` as one `$`."""
    return value.replace("$", "$$")
