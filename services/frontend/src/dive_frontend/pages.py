"""HTML pages from templates, and JSON, both with the security headers of the portal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse

from dive_common.live_file import LiveFile
from dive_frontend.settings import Partners, PortalSettings
from dive_frontend.texts import refusal_text

STATIC = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Renders `templates/`: every value is escaped, no script runs."""

    def __init__(self, settings: PortalSettings, partners: LiveFile[Partners]) -> None:
        self._partners = partners
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._environment.globals.update(portal=settings, refusal_text=refusal_text)

    def _headers(self) -> dict[str, str]:
        # A sign-out submits a form, and the realm may redirect it to the partner where the person signed in.
        targets = " ".join(("'self'", *self._partners.value().origins))
        return {
            "Cache-Control": "no-store",
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
                f"form-action {targets}"
            ),
            "Referrer-Policy": "same-origin",
            "Strict-Transport-Security": "max-age=31536000",
            "X-Content-Type-Options": "nosniff",
        }

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page."""
        html = self._environment.get_template(template).render(partners=self._partners.value().offered, **values)
        return HTMLResponse(html, status, self._headers())

    def data(self, body: Mapping[str, Any], status: int = 200) -> JSONResponse:
        """Return JSON with the headers of a page."""
        return JSONResponse(body, status, self._headers())
