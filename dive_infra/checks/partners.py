"""What a partner says about itself: its signed status, with the person whom it has issued to this country.

A partner that does not answer, or has not declared its side of the link yet, makes the link pending, as does an
agreement that has ended. So does the hub to a country that has nothing of it yet. That is no failure of either side:
both are deployed by different people at different times.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from dive_infra.checks.runner import CheckFailed
from dive_infra.checks.spec import PartnerSpec
from dive_infra.config.countries import HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.identity import https
from dive_infra.membership import status
from dive_infra.membership.canonical import LIMIT
from dive_infra.membership.refusals import MembershipError
from dive_infra.membership.status import ProbeLogin, PublishedStatus
from dive_infra.process.deadline import within
from dive_infra.results.codes import Code
from dive_infra.results.errors import DiveError
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import NO_REMEDY, UP, Remedy
from dive_infra.results.text import first_line, now

STATUS = "/.well-known/dive-status"  # at each country's backend
_PATIENCE = 3 * CHECK_REQUEST  # seconds for the whole answer


class Pending(DiveError):
    """The other side of a link does not exist yet, or does not answer, or an agreement between the two has ended."""

    def __init__(self, cause: str, remedy: Remedy = NO_REMEDY, code: Code = Code.LINK_PENDING) -> None:
        super().__init__(cause, remedy, code)

    def finding(self, check: str, topic: str, subject: str) -> Finding:
        """Return the finding of a check that waits for the partner: it is shown and decides nothing."""
        return Finding(
            check,
            Verdict.UNKNOWN,
            found=f"pending: {self.cause}",
            remedy=self.remedy,
            topic=topic,
            code=self.code,
            advisory=True,
            subject=subject,
        )


class Unable(Pending):
    """The other side of a link answers, and cannot serve now: a part of it is down. It may be back in a moment."""


def published(partner: PartnerSpec, ca: str) -> PublishedStatus:
    """Return the status that a partner publishes; raises `Pending`, or `CheckFailed` for one that is not its own."""
    names = partner.names
    code, url = names.country.code, f"{names.url('backend')}{STATUS}"
    try:
        with https.client(ca, CHECK_REQUEST, names) as http:
            answered, content = within(_PATIENCE, lambda: https.fetch(http, url, LIMIT))
    except (httpx.HTTPError, TimeoutError) as error:
        raise Pending(f"{code} does not answer at {url}: {first_line(error)}", awaits(code)) from None
    if answered != httpx.codes.OK:
        raise Pending(f"{code} publishes no status yet ({url} answers {answered})", awaits(code))
    try:
        return status.read(content, partner.deployer_key, code, names.namespace, now())
    except MembershipError as error:
        expected = error.expected or f"a status that the deployer of {code} has signed"
        raise CheckFailed(error.cause, expected, error.remedy, Code.LINK_NOT_PROVEN) from None


def waiting(partners: Sequence[PartnerSpec], ca: str, why: Callable[[PublishedStatus], str]) -> dict[str, str]:
    """Return which partners are not ready for a step, code -> cause (words that follow it); asks all at once.

    `why` says what is missing in what a partner publishes, and is empty if nothing is.
    """

    def cause(partner: PartnerSpec) -> str:
        try:
            return why(published(partner, ca))
        except (Pending, CheckFailed) as error:
            return f"cannot be asked: {error.cause}"

    with ThreadPoolExecutor(max_workers=len(partners) or 1) as side_by_side:
        causes = list(side_by_side.map(cause, partners))
    return {p.names.country.code: cause for p, cause in zip(partners, causes, strict=True) if cause}


def issued(partner: PartnerSpec, own: Names, sealing_key: str, ca: str) -> ProbeLogin:
    """Return the account that the partner has issued to this country; raises as `published`."""
    return account(published(partner, ca), own, sealing_key)


def account(said: PublishedStatus, own: Names, sealing_key: str) -> ProbeLogin:
    """Return the account for this country in what a partner publishes; raises as `published`."""
    code = said.country
    try:
        login = said.probe(own.country.code, sealing_key)
    except MembershipError as error:
        raise CheckFailed(error.cause, error.expected, error.remedy, Code.LINK_NOT_PROVEN) from None
    if login is None:
        raise Pending(f"{code} has not declared its side of the link to {own.country.code} yet", awaits(code))
    return login


def ended(code: str, where: str) -> Pending:
    """Return that the services of `where` refuse the people of `code`, because the agreement on them has ended."""
    return Pending(f"{where} refuses people of {code}, because the agreement on them has ended", agree(code))


def agree(code: str) -> Remedy:
    """Return what extends the agreement on the people of `code`, which takes two operators."""
    return Remedy.decide(
        f"agree on a new end, set dive:agreements.{code}.expires of {HUB_CODE}, then: {UP}; "
        "and update each spoke with the new document",
        country=HUB_CODE,
    )


def awaits(code: str) -> Remedy:
    """Return what completes a link that waits for the partner `code`."""
    return Remedy.update(detail=f"proves the link once {code} is deployed and answers")
