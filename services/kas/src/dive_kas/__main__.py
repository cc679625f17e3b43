"""`python -m dive_kas`"""

from dive_common.server import serve
from dive_kas.app import create
from dive_kas.settings import Settings

settings = Settings.from_environment()
serve(create(settings), settings.paths, settings.port)
