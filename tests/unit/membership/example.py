"""A coalition of two countries as its files are made: keys, France's request, and the document."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dive_infra.config.countries import parse
from dive_infra.config.naming import Names
from dive_infra.crypto import pki
from dive_infra.membership import authority, keys
from dive_infra.membership.document import Agreement, Coalition, Member
from dive_infra.membership.request import Request
from dive_infra.membership.signed import Format, sign
from dive_infra.membership.zone import endpoints_of

NOW = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)
DAY = timedelta(days=1)
DEPLOYER, AUTHORITY, SEALING = keys.new_signing_key(), keys.new_authority_key(), keys.new_sealing_key()
POLICY, COALITION_KEY = keys.new_policy_key(), keys.new_signing_key()
ROOT = pki.issue("DIVE coalition", 30, authority=True)
COALITION_CA = pki.Issuer(ROOT.chain, ROOT.key)
PIN = keys.public_text(COALITION_KEY)


def request(code: str = "FRA", **changed: Any) -> Request:
    names = Names(parse(code))
    fields = {
        "country": code,
        "zone": names.zone,
        "endpoints": endpoints_of(names),
        "signing_request": authority.signing_request(code, AUTHORITY),
        "deployer_key": keys.public_text(DEPLOYER),
        "sealing_key": keys.public_text(SEALING),
        "policy_key": keys.public_text(POLICY),
        "created": NOW - DAY,
    }
    return Request(**(fields | changed))


def signed_request(**changed: Any) -> bytes:
    """Return what a deployer with a program of its own may sign: the reader alone protects from it."""
    return sign(Format.REQUEST, request().plain() | changed, DEPLOYER)


def member(made: Request, **changed: Any) -> Member:
    zone, code = made.zone, made.country
    certificate = authority.certificate_for(made.signing_request, code, zone, 20, COALITION_CA, made.address)
    agreement = Agreement(clearance="SECRET", communities=("NATO",), assurance=2, expires=NOW + 90 * DAY)
    return Member.of(made, certificate, agreement).model_copy(update=changed)


FRA_REQUEST = request()
FRA, USA = member(FRA_REQUEST), member(request("USA"))


def coalition(**changed: Any) -> Coalition:
    fields = {
        "serial": 7,
        "namespace": "dive",
        "issued": NOW,
        "expires": NOW + 30 * DAY,
        "authorities": (ROOT.chain,),
        "members": {"FRA": FRA, "USA": USA},
    }
    return Coalition(**(fields | changed))


def signed_document(**changed: Any) -> bytes:
    """Return a document with any content that the coalition's key has signed."""
    return sign(Format.COALITION, coalition(**changed).plain(), COALITION_KEY)
