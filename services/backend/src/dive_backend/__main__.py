"""`python -m dive_backend`: run the API."""

from dive_backend.app import BackendApp
from dive_backend.settings import BackendSettings
from dive_common.server import serve

settings = BackendSettings()
serve(BackendApp(settings).starlette(), settings.files, settings.port)
