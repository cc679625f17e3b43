"""`python -m dive_kas`: run the key access service."""

from dive_common.server import serve
from dive_kas.app import KeyAccessApp
from dive_kas.settings import KeyAccessSettings

settings = KeyAccessSettings()
serve(KeyAccessApp(settings).starlette(), settings.files, settings.port)
