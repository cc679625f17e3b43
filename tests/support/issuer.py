"""An OpenID Connect issuer for tests, run inside the backend's image: publishes its key, signs what it is asked to.

Instead of a login page, `/authorize` signs in the person whom `kc_idp_hint` names (or `own`), with the claims that
`people.json` has for them.
"""

import hashlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

FILES = Path("/etc/dive")
KEY = (FILES / "issuer.key").read_text()
PEOPLE: dict[str, dict[str, Any]] = json.loads((FILES / "people.json").read_text())
ISSUER, PORT = os.environ["ISSUER"], int(os.environ["PORT"])
KID = "tests"
codes: dict[str, dict[str, str]] = {}
sessions: dict[str, str] = {}


def discovery(request: Request) -> Response:
    paths = {"authorization": "authorize", "token": "token", "end_session": "logout"}
    endpoints = {f"{name}_endpoint": f"{ISSUER}/{path}" for name, path in paths.items()}
    return JSONResponse({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/certs", **endpoints})


def certs(request: Request) -> Response:
    private = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).prepare_key(KEY)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return JSONResponse({"keys": [public | {"kid": KID, "use": "sig", "alg": "RS256"}]})


def authorize(request: Request) -> Response:
    asked = dict(request.query_params)
    code = secrets.token_urlsafe(16)
    codes[code] = asked
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 303)


async def token(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    if form["grant_type"] == "refresh_token":
        who = sessions.pop(form["refresh_token"], None)
        return _tokens(who, {}) if who else JSONResponse({"error": "invalid_grant"}, 400)
    asked = codes.pop(form["code"], None)
    digest = jwt.utils.base64url_encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
    if asked is None or asked["code_challenge"] != digest or asked["code_challenge_method"] != "S256":
        return JSONResponse({"error": "invalid_grant", "error_description": "Code not valid"}, 400)
    return _tokens(asked.get("kc_idp_hint", "own"), {"nonce": asked["nonce"], "aud": asked["client_id"]})


def _tokens(who: str, identity: dict[str, str]) -> Response:
    now, life = int(time.time()), int(PEOPLE[who].get("life", 900))
    base = {"iss": ISSUER, "sub": who, "iat": now, "exp": now + life, **PEOPLE[who]["claims"]}
    access = base | {"typ": "Bearer", "aud": "dive-v3-backend"}
    refresh = secrets.token_urlsafe(16)
    sessions[refresh] = who
    signed = {"access_token": access, "id_token": base | {"typ": "ID"} | identity}
    body = {name: jwt.encode(claims, KEY, "RS256", {"kid": KID}) for name, claims in signed.items()}
    return JSONResponse({**body, "refresh_token": refresh, "expires_in": life, "token_type": "Bearer"})


def logout(request: Request) -> Response:
    return RedirectResponse(request.query_params["post_logout_redirect_uri"], 303)


if __name__ == "__main__":
    base = "/" + ISSUER.split("/", 3)[3]
    routes = [
        Route(f"{base}/.well-known/openid-configuration", discovery),
        *(Route(f"{base}/{f.__name__}", f) for f in (certs, authorize, logout)),
        Route(f"{base}/token", token, methods=["POST"]),
    ]
    cert, key = str(FILES / "tls.crt"), str(FILES / "tls.key")
    uvicorn.run(Starlette(routes=routes), host="0.0.0.0", port=PORT, ssl_certfile=cert, ssl_keyfile=key)
