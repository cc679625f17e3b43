"""A rotation of the coalition's CA: its steps, and that no connection is refused in between, whoever is how far."""

import ssl
from itertools import product

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from dive_infra.crypto import pki
from dive_infra.membership import authority
from dive_infra.membership.ca_rotation import Step, following, next_step, position, unready
from dive_infra.membership.document import Coalition
from dive_infra.membership.status import RotationPosition
from tests.support.tls import handshake, presenting
from tests.unit.membership import example

OLD = example.ROOT
NEW = pki.issue("DIVE coalition 2", 30, authority=True)
ROOTS = {"old": OLD, "new": NEW}
BOTH = OLD.chain + NEW.chain
ZONE = "fra.dive.localhost"
HOST = f"idp.{ZONE}"


def certified(by: str, code: str = "FRA") -> str:
    """Return the CA certificate of a country for the key that it keeps, signed by one of the roots."""
    asked, root = authority.signing_request(code, example.AUTHORITY), ROOTS[by]
    zone = f"{code.lower()}.dive.localhost"
    return authority.certificate_for(asked, code, zone, 20, pki.Issuer(root.chain, root.key))


def served(by: str) -> pki.Issued:
    return pki.issue("idp", 10, pki.Issuer(certified(by), example.AUTHORITY), [HOST, "127.0.0.1"])


LEAVES = {by: served(by) for by in ROOTS}

# After each step: how far countries are, as (roots that they trust, root of their certificates).
TRUSTED = {"old": [OLD.chain], "both": [OLD.chain, NEW.chain], "new": [NEW.chain]}
STATES = {
    Step.BEGIN: [("old", "old"), ("both", "old")],
    Step.CONTINUE: [("both", "old"), ("both", "new")],
    Step.FINISH: [("both", "new"), ("new", "new")],
}
MEETINGS = [
    pytest.param(mine[0], its[1], id=f"{step}: trusts {mine[0]}, meets {its[1]}")
    for step, countries in STATES.items()
    for mine, its in product(countries, countries)
]


def verify_with_cryptography(trusted: list[str], presented: pki.Issued) -> None:
    chain = x509.load_pem_x509_certificates(presented.chain.encode())
    store = Store([pki.leaf(root) for root in trusted])
    PolicyBuilder().store(store).build_server_verifier(x509.DNSName(HOST)).verify(chain[0], chain[1:])


def verify_with_openssl(trusted: list[str], presented: pki.Issued) -> None:
    """Shake hands in memory, as OpenSSL verifies strictly."""
    here = ssl.create_default_context(cadata="".join(trusted))
    here.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(here, presenting(presented), HOST).version()


@pytest.mark.parametrize(("trusts", "meets"), MEETINGS)
@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_no_connection_is_refused_whoever_has_updated(trusts: str, meets: str, order: int) -> None:
    trusted = TRUSTED[trusts][::order]
    verify_with_cryptography(trusted, LEAVES[meets])
    verify_with_openssl(trusted, LEAVES[meets])


@pytest.mark.parametrize(("trusts", "meets"), [("old", "new"), ("new", "old")])
def test_a_country_that_skips_a_step_is_refused(trusts: str, meets: str) -> None:
    """Without this, the steps would wait for no one."""
    with pytest.raises(VerificationError):
        verify_with_cryptography(TRUSTED[trusts], LEAVES[meets])
    with pytest.raises(ssl.SSLCertVerificationError):
        verify_with_openssl(TRUSTED[trusts], LEAVES[meets])


def test_each_step_follows_from_the_numbers() -> None:
    numbers: tuple[int, ...] = (1,)
    seen = []
    for _ in range(4):
        step, numbers = following(numbers)
        seen.append((step, numbers))
    assert seen == [(Step.BEGIN, (1, 2)), (Step.CONTINUE, (2, 1)), (Step.FINISH, (2,)), (Step.BEGIN, (2, 3))]


def document(*trusted: str, by: str = "old") -> Coalition:
    usa = example.USA.model_copy(update={"certificate": certified(by, "USA")})
    return example.coalition(authorities=trusted, members={"USA": usa})


@pytest.mark.parametrize(
    ("issued", "step"),
    [
        (document(OLD.chain), Step.BEGIN),
        (document(OLD.chain, NEW.chain), Step.CONTINUE),
        (document(OLD.chain, NEW.chain, by="new"), Step.FINISH),
        (document(NEW.chain, by="new"), Step.BEGIN),
    ],
    ids=["before", "begun", "continued", "finished"],
)
def test_the_document_says_which_step_is_next(issued: Coalition, step: Step) -> None:
    assert next_step(issued) is step


def test_a_country_says_what_it_trusts_and_from_whom_its_certificates_are() -> None:
    assert position(BOTH, certified("new")) == RotationPosition(
        trusted=(pki.digest(OLD.chain), pki.digest(NEW.chain)), issuer=pki.digest(NEW.chain)
    )
    assert position("whatever", "") is None, "no rotation"


@pytest.mark.parametrize(
    ("found", "by", "why"),
    [
        (None, "old", "does not trust the new CA yet"),
        (position(OLD.chain, certified("old")), "old", "does not trust the new CA yet"),
        (position(BOTH, certified("old")), "old", ""),
        (None, "new", "does not trust the new CA yet"),
        (position(BOTH, certified("old")), "new", "still has certificates of the old CA"),
        (position(BOTH, certified("new")), "new", ""),
    ],
    ids=["unknown", "not begun", "begun", "unknown at the end", "not continued", "continued"],
)
def test_a_country_is_ready_once_it_has_taken_up_the_step_before(
    found: RotationPosition | None, by: str, why: str
) -> None:
    assert unready(found, document(OLD.chain, NEW.chain, by=by)) == why


def test_another_second_ca_has_to_be_taken_up_again() -> None:
    """As when a rotation was given up and another one started."""
    third = pki.issue("DIVE coalition 2", 30, authority=True)
    assert unready(position(BOTH, certified("old")), document(OLD.chain, third.chain)) != ""
