"""`python -m dive_frontend`: run the portal."""

from dive_common.server import serve
from dive_frontend.app import PortalApp
from dive_frontend.settings import PortalSettings

settings = PortalSettings()
serve(PortalApp(settings).starlette(), settings.files, settings.port)
