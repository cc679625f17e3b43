"""The token with which a country takes policies and data from the hub."""

from uuid import NAMESPACE_URL, uuid5

import jwt

OPAL_AUDIENCE = "dive-policy"


def data_topic(country: str) -> str:
    """Return OPAL's topic for data of one country alone: `policy_data/fra`."""
    return f"policy_data/{country.lower()}"


def mint_opal_token(private_key_pem: str, country: str) -> str:
    """Return a JWT for the OPAL client of `country` (code), signed with its own `policy-key`.

    Equal input gives an equal token. It does not expire: the hub takes it as long as the country's public key is that
    of a member. What its holder may do, the hub decides, not the token.
    """
    subject = uuid5(NAMESPACE_URL, f"dive:opal:{country}").hex
    claims = {"iss": country, "aud": OPAL_AUDIENCE, "sub": subject, "country": country}
    return jwt.encode(claims, private_key_pem, algorithm="RS256")
