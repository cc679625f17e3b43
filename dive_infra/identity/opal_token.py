"""The token with which a country takes policies and data from the hub.

The OPAL client of a spoke has a copy of this file, and signs with it.
"""

import time
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

OPAL_AUDIENCE = "dive-policy"
LIFETIME = 3600  # seconds; clocks of the coalition's hosts may differ


def mint_opal_token(private_key_pem: str, country: str) -> str:
    """Return a JWT for `country` (code), signed with its own `policy-key`, that ends after `LIFETIME`.

    The hub takes it as long as the country's public key is that of a member. What its holder may do, the hub decides,
    not the token.
    """
    return _signed(private_key_pem, country, exp=int(time.time()) + LIFETIME)


def mint_hub_token(private_key_pem: str, hub: str) -> str:
    """Return the JWT with which the hub's own OPA and OPAL server ask its backend; equal input gives an equal token.

    It does not expire: it is in the files of containers that sign nothing, and only the hub's backend takes it.
    """
    return _signed(private_key_pem, hub)


def _signed(private_key_pem: str, country: str, **more: Any) -> str:
    subject = uuid5(NAMESPACE_URL, f"dive:opal:{country}").hex
    claims = {"iss": country, "aud": OPAL_AUDIENCE, "sub": subject, "country": country, **more}
    return jwt.encode(claims, _key(private_key_pem), algorithm="RS256")


@lru_cache(maxsize=8)
def _key(private_key_pem: str) -> Any:
    """Load a key once: OpenSSL examines it each time, for 50 ms of processor time."""
    return load_pem_private_key(private_key_pem.encode(), None)
