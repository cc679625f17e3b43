"""`python -m dive_frontend`"""

from dive_common.server import serve
from dive_frontend.app import create
from dive_frontend.settings import Settings

settings = Settings.from_environment()
serve(create(settings), settings.paths, settings.port)
