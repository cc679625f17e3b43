"""Gunicorn's configuration for OPAL: nothing beyond the defaults; GUNICORN_CMD_ARGS adds to it."""
