"""How long to wait for what, in seconds. A wait that one module alone knows stays there."""

# The engine of the containers.
ENGINE_ANSWER = 5  # does an engine answer at all?
ENGINE_START = 60  # from its start to its first answer
ENGINE_REQUEST = 300  # one request; a layer may be large

# One request of a check, and all checks of something.
CHECK_REQUEST = 2  # a service on this machine answers in milliseconds, or is down
REALM_REQUEST = 5  # Keycloak while it reads hundreds of objects
SERVED_CERTIFICATE = 3.0  # a TLS handshake
DRIFT_CHECK = 10.0  # all checks of one phase before an update

# One request of a diff: Pulumi asks one resource after the other, in previews too.
DIFF_REQUEST = 2.0

# Requests that change something.
ROTATION_REQUEST = 5
HUB_REQUEST = 5.0  # the hub's Keycloak, when a spoke is removed
SECRET_MANAGER_REQUEST = 10.0

# Programs and servers of others.
REGISTRY_ANSWER = 8
PREVIEW = 600  # one run of `pulumi preview`
