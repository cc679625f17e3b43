"""How long to wait for what, in seconds. A wait that only one module knows stays in that module."""

# The engine of the containers.
ENGINE_ANSWER = 5  # does an engine answer at all?
ENGINE_START = 60  # from its start to its first answer
ENGINE_REQUEST = 300  # one request; a layer may be large

# One request of a check, and all checks of something.
CHECK_REQUEST = 2  # a service on this machine answers in milliseconds, or is down
REALM_REQUEST = 15  # Keycloak while it exports a realm; the first time after its start takes seconds
SERVED_CERTIFICATE = 3.0  # a TLS handshake
DRIFT_CHECK = 10.0  # all checks of one phase before an update

# Diffs, which a preview waits for too.
DIFF_REQUEST = 2.0  # one request
DIFF_PHASE = 2.0  # all checks of a phase, in the diff of its checkpoint
DIFF_PHASE_LATE = 8.0  # the same once more, where checks were late
DIFF_REALM = 5.0  # the whole Keycloak server, on a busy machine
DIFF_REALM_LATE = 15.0  # the same once more: the first answers of a server that has just started take long

# The proof of a phase; checks that are unknown are repeated within it.
PROOF = 60.0
PREFLIGHT_PROOF = 5.0  # what does not exist before anything was started will not appear
PARTNER_PROOF = 15.0  # a partner that answers and cannot serve: some part of it may be starting
VERIFICATION_PROOF = 90.0  # policy data reaches every policy engine, and identity providers each other's keys

# Requests that change something.
REALM_CHANGE = 30.0  # Keycloak may have just started, and make several RSA keys
SECRET_ROTATION_REQUEST = 5
HUB_REQUEST = 5.0  # the hub's Keycloak, when a spoke is removed
SEED_REQUEST = 10.0  # from a connection to the seed store to its answer
SECRET_MANAGER_REQUEST = 10.0

# Programs and servers of others. The waits of Pulumi's providers are their inputs: another value is a change in every
# state.
KEYCLOAK_PROVIDER_REQUEST = 60
POSTGRES_PROVIDER_LOGIN = 10
PULUMI_ENGINE_CONNECTION = 2  # it is on this machine; a port that no process listens on refuses at once
REGISTRY_ANSWER = 8
PREVIEW = 600  # one run of `pulumi preview`
