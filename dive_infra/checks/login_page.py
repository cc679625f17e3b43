"""People can start to log in: the portal sends them to its realm, which shows them the login form.

It takes two requests and no person, and leaves only a login that was started, which the realm forgets by itself. That
the realm accepts a password and the portal the tokens is proven by the logins of VERIFICATION alone.
"""

from collections.abc import Sequence
from functools import partial

import httpx
from selectolax.lexbor import LexborHTMLParser

from dive_infra.checks import objects
from dive_infra.checks.runner import Check, CheckFailed
from dive_infra.config.naming import Names
from dive_infra.config.timeouts import CHECK_REQUEST
from dive_infra.identity import https
from dive_infra.identity.browser import FORM, Browser, LoginFailed, login_form
from dive_infra.results.codes import Code
from dive_infra.results.remedy import Remedy

_NEEDS = ("postgres", "keycloak", "frontend")
_FIELDS = ("username", "password")


def checks(names: Names, partners: Sequence[Names], ca: str) -> list[Check]:
    code = names.country.code
    return [
        Check(
            f"the portal of {code} leads to the login form of its realm",
            "login page",
            partial(page, names, partners, ca),
            subject=f"login page of {code}",
        )
    ]


def page(names: Names, partners: Sequence[Names], ca: str) -> str:
    """Check where the portal sends people who log in, and the page there: its form and a button for each partner."""
    code = names.country.code
    try:
        with https.client(ca, CHECK_REQUEST, names) as http:
            browser = Browser(http, names.host("keycloak"))
            answer = browser.send("authorization request", "GET", _authorization_request(browser, names))
            shown = LexborHTMLParser(answer.text)
            form = login_form(shown, answer, "authorization request")
    except LoginFailed as error:
        wanted = f"{FORM} of {names.host('keycloak')}"
        if not error.away:
            raise CheckFailed(str(error), wanted, Remedy.refresh(code), Code.LOGIN_REFUSED) from None
        unanswered = objects.unanswered(str(error), wanted, Remedy.update(code), Code.LOGIN_REFUSED)
        raise objects.caused_by(names, _NEEDS, unanswered) from None
    parts = {f"field {name}": form.css_first(f"input[name={name}]") for name in _FIELDS}
    parts |= {f"button {p.idp_alias}": shown.css_first(f"[id='social-{p.idp_alias}']") for p in partners}
    if missing := [part for part, node in parts.items() if node is None]:
        raise CheckFailed(f"no {', no '.join(missing)}", ", ".join(parts), Remedy.refresh(code), Code.LOGIN_UNEXPECTED)
    return f"{FORM} of {names.host('keycloak')}"


def _authorization_request(browser: Browser, names: Names) -> httpx.URL:
    """Return where the portal sends a person who logs in; raise `CheckFailed` if that is not its own realm."""
    portal = names.url("frontend")
    answer = browser.send("login", "GET", httpx.URL(f"{portal}/login"), headers={"accept": "application/json"})
    if not answer.is_redirect:
        found = f"{answer.status_code} {answer.text[:200]}"
        raise LoginFailed("login", names.host("frontend"), "a redirect to the realm", found, answer.is_server_error)
    there = answer.url.join(answer.headers["location"])
    wanted = {
        "endpoint": str(httpx.URL(f"{names.issuer}/protocol/openid-connect/auth")),  # no port if it is 443
        "client_id": names.client,
        "redirect_uri": f"{portal}/callback",
        "response_type": "code",
        "code_challenge_method": "S256",
    }
    asked: dict[str, str] = {**there.params, "endpoint": str(there.copy_with(query=None))}
    if off := [name for name, value in wanted.items() if asked.get(name) != value]:
        raise CheckFailed(
            ", ".join(f"{name} {asked.get(name)}" for name in off),
            ", ".join(f"{name} {wanted[name]}" for name in off),
            Remedy.restart(names.country.code, "frontend"),
            Code.LOGIN_UNEXPECTED,
        )
    return there
