"""`python -m dive_backend`"""

from dive_backend.app import create
from dive_backend.settings import Settings
from dive_common.server import serve

settings = Settings.from_environment()
serve(create(settings), settings.paths, settings.port)
