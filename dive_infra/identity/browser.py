"""The steps of a person through the sign-in pages, as a browser takes them, without a browser, over verified TLS.

It follows redirects and fills in the login form of the person's country once. It never retries: it arrives, or
`LoginFailed` says at which step and host it stopped, what the page said, and whether a later attempt may succeed.
"""

from collections.abc import Callable
from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

from dive_infra.results.errors import DiveError

_HOPS = 20
FORM = "the login form"
# The elements in which the pages of Keycloak and of the portal show an error.
_COMPLAINTS = ", ".join(
    (
        "#kc-error-message .instruction",
        "#input-error",
        "#input-error-username",
        ".kc-feedback-text",
        ".alert-error",
        "[class*=alert__title]",
        "#problem #reason",
    )
)


class LoginFailed(DiveError):
    """`step` of the login, the `host` that answered, what was `expected` and what was `found`.

    `away`: a host did not answer or could not serve, so a later attempt may succeed; otherwise the login was refused,
    after a sign-in by the `check` of the country's services that the answer names.
    """

    def __init__(self, step: str, host: str, expected: str, found: str, away: bool = False, check: str = "") -> None:
        super().__init__(f"{step} at {host}: expected {expected}, found {found}")
        self.step, self.host, self.found, self.away = step, host, found, away
        self.expected, self.check = expected, check

    def __str__(self) -> str:
        return self.cause


class Browser:
    """Signs `username` in at the login form of the host `home`. `hosts` were visited, in this order."""

    def __init__(self, http: httpx.Client, home: str, username: str = "", password: str = "") -> None:
        http.headers["accept-language"] = "en"  # a country's pages speak its language; what is reported is English
        self.http, self.home = http, home
        self.hosts: list[str] = []
        self._person = {"username": username, "password": password}
        self._asked = False

    def walk(self, url: httpx.URL, arrived: Callable[[httpx.URL], bool]) -> httpx.URL:
        """Continue from `url` until a redirect leads to an address that has `arrived`.

        Return it without a request to it.
        """
        form: dict[str, str] | None = None
        for _ in range(_HOPS):
            self._visited(url)
            answer = self.send(self._step, "GET" if form is None else "POST", url, data=form)
            form = None
            if not answer.has_redirect_location:
                url, form = self._form(answer, url)
                continue
            url = self._followed(url, answer.headers["location"])
            if arrived(url):
                self._visited(url)
                return url
        raise LoginFailed("login", url.host, f"an end after {_HOPS} steps", "one more redirect")

    def _followed(self, url: httpx.URL, location: str) -> httpx.URL:
        """Return where a redirect leads: over TLS alone, which proves whose host it is."""
        try:
            following = url.join(location)
        except httpx.InvalidURL:
            following = httpx.URL()
        if following.scheme != "https":
            raise LoginFailed(self._step, url.host, "a redirect to an https address", f"one to {location[:200]!r}")
        return following

    def send(self, step: str, method: str, url: httpx.URL, **how: Any) -> httpx.Response:
        try:
            return self.http.request(method, url, **how)
        except httpx.HTTPError as error:
            found = str(error) or type(error).__name__
            raise LoginFailed(step, url.host, "an answer", found, away=True) from None

    def json(self, step: str, method: str, url: str, **how: Any) -> Any:
        """Return the JSON that the address answers with status 200."""
        answer = self.send(step, method, httpx.URL(url), **how)
        if answer.status_code != 200:
            found = f"{answer.status_code} {answer.text[:200]}"
            raise LoginFailed(step, answer.url.host, "200", found, answer.is_server_error, _check(answer))
        return answer.json()

    @property
    def _step(self) -> str:
        return "login" if self._asked else "authorization request"

    def _visited(self, url: httpx.URL) -> None:
        if self.hosts[-1:] != [url.host]:
            self.hosts.append(url.host)

    def _form(self, answer: httpx.Response, url: httpx.URL) -> tuple[httpx.URL, dict[str, str]]:
        """Return the address of the login form of this page, and its fields."""
        login = login_form(LexborHTMLParser(answer.text), answer, self._step, "a redirect" if self._asked else FORM)
        if url.host != self.home:
            raise LoginFailed(self._step, url.host, f"the login form of {self.home}", "a login form of its own")
        if self._asked:
            raise LoginFailed(self._step, url.host, "a redirect", "the login form again")
        self._asked = True
        return url.join(login.attributes.get("action") or ""), {**_hidden(login), **self._person}


def _check(answer: httpx.Response) -> str:
    """Return the check of a country's services that an answer names; empty if it names none."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("check", "")) if isinstance(body, dict) else ""


def login_form(page: LexborHTMLParser, answer: httpx.Response, step: str, wanted: str = FORM) -> LexborNode:
    """Return the login form of the answered `page`; raise `LoginFailed` without one, or if it shows an error."""
    complaints = dict.fromkeys(node.text(strip=True) for node in page.css(_COMPLAINTS))
    words = "; ".join(filter(None, complaints))
    login = page.css_first("form#kc-form-login")
    if login is None or words:
        title = page.css_first("title")
        found = words or (title.text(strip=True) if title else "") or answer.text[:80]
        said = f"{answer.status_code} {found!r}"
        raise LoginFailed(step, answer.url.host, wanted, said, answer.is_server_error)
    return login


def _hidden(form: LexborNode) -> dict[str, str]:
    fields = form.css("input[type=hidden][name]")
    return {str(node.attributes["name"]): node.attributes.get("value") or "" for node in fields}
