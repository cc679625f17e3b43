"""Check that a realm accepts the secret of a client by using it: what Keycloak shows of a secret proves nothing."""

import httpx

from dive_infra.config.naming import Names
from dive_infra.identity import https
from dive_infra.identity.keycloak_admin import KeycloakUnreachable

# Judged after the client: `invalid_grant` is said to a client that was accepted. Unlike a code it leaves no event.
_NO_GRANT = {"grant_type": "refresh_token", "refresh_token": "none"}
_REFUSED = ("invalid_client", "unauthorized_client")


def refusal(names: Names, client_id: str, secret: str, ca: str, timeout: float = 5.0) -> str:
    """Return the realm's words if it refuses the secret, else empty.

    Raises `KeycloakUnreachable` without an answer, or with an answer that says neither.
    """
    url = f"{names.issuer}/protocol/openid-connect/token"
    form = {**_NO_GRANT, "client_id": client_id, "client_secret": secret}
    try:
        with https.client(ca, timeout, names) as http:
            answer = http.post(url, data=form)
            body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise KeycloakUnreachable(f"{url}: {str(error) or type(error).__name__}") from None
    said = body.get("error", "")
    if said == "invalid_grant":
        return ""
    if said in _REFUSED:
        return f"{said}: {body.get('error_description', '')}"
    raise KeycloakUnreachable(f"{url}: {answer.status_code} {said or answer.reason_phrase}")
