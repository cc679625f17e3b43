"""The token with which a country takes policies and data from the hub."""

from uuid import NAMESPACE_URL, uuid5

import jwt

OPAL_AUDIENCE = "dive-policy"
ISSUER = "dive-hub"


def data_topic(country: str) -> str:
    """Return OPAL's topic for data of one country alone: `policy_data/fra`."""
    return f"policy_data/{country.lower()}"


def mint_opal_token(private_key_pem: str, country: str) -> str:
    """Return a JWT for the OPAL client of `country` (code), signed with the hub's `opal-key`.

    Equal input gives an equal token. It does not expire; a new `opal-key` revokes all. OPAL lets a client publish to
    the topics it may subscribe to. Therefore these are only the announcement of new policies, which every client then
    fetches from the hub, and a topic of its own.
    """
    claims = {
        "iss": ISSUER,
        "aud": OPAL_AUDIENCE,
        "sub": uuid5(NAMESPACE_URL, f"dive:opal:{country}").hex,
        "peer_type": "client",
        "country": country,
        "permitted_topics": ["policy:.", data_topic(country)],
    }
    return jwt.encode(claims, private_key_pem, algorithm="RS256")
