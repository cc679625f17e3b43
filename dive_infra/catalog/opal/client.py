"""Gunicorn's configuration of the OPAL client: TLS, secrets from files, and two things that OPAL does not do itself.

A token that the hub refuses ends the client at once, with a message; OPAL would try for ever. And an OPA that was
restarted, hence has forgotten its policies, gets them again; OPAL notices that of an OPA inside its own container only.
"""

import http.client
import json
import logging
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_FILES = Path("/etc/dive")
_LOOK = 4  # seconds between two looks whether OPA has its policies
_log = logging.getLogger("gunicorn.error")

certfile = str(_FILES / "tls.crt")
keyfile = str(_FILES / "tls.key")
worker_tmp_dir = "/tmp"

_token = (_FILES / "opal-token").read_text().strip()
_opa_token = (_FILES / "opa-token").read_text().strip()
_trust = ssl.create_default_context(cafile=_FILES / "ca.pem")

# Closes the client's own API: nobody has the other half of this key.
_nobody = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()

os.environ |= {
    "OPAL_CLIENT_TOKEN": _token,
    "OPAL_POLICY_STORE_AUTH_TOKEN": _opa_token,
    "OPAL_AUTH_PUBLIC_KEY_FORMAT": "pem",
    "OPAL_AUTH_PUBLIC_KEY": _nobody.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
}


def _call(url: str, token: str, method: str = "GET") -> bytes:
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5, context=_trust) as response:  # noqa: S310
        return bytes(response.read())


def _stop(problem: str) -> None:
    sys.exit(f"opal-client: {problem}; next: pulumi up -s usa, then this country's stack again")


def on_starting(_: Any) -> None:
    """Refuses to start with a token that the hub refuses. A hub that is down is another matter: OPAL waits for it."""
    if not _token:
        _stop(f"the country's token (opal-token) in {_FILES / 'opal-token'} is empty")
    for url in (f"{os.environ['OPAL_SERVER_URL']}/policy", os.environ["OPAL_DEFAULT_DATA_SOURCES_CONFIG_URL"]):
        try:
            _call(url, _token)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                _stop(f"the hub refuses this country's token (opal-token): {error.code} from {url}")
        except OSError as error:
            _log.warning("the hub is out of reach, going on without: %s: %s", url, error)


def post_worker_init(_: Any) -> None:
    threading.Thread(target=_watch, name="watch-opa", daemon=True).start()


def _watch() -> None:
    """Asks OPA for its policies; when they are not there, has OPAL load them."""
    opa = f"{os.environ['OPAL_POLICY_STORE_URL']}/v1/policies"
    own = f"https://127.0.0.1:{os.environ['UVICORN_PORT']}/policy-updater/trigger"
    while True:
        time.sleep(_LOOK)
        try:
            policies = json.loads(_call(opa, _opa_token))["result"]
            if not any(policy["id"] == "authz.rego" for policy in policies):
                _log.warning("OPA has no policies, loading them")
                _call(own, _token, "POST")
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:  # such as an answer that breaks off
            _log.warning("cannot look after OPA's policies: %s", error)
