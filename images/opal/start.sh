#!/bin/bash
# Same variables as the start script of the official image.
set -euo pipefail
export GUNICORN_CONF=${GUNICORN_CONF:-./gunicorn_conf.py}
if [ -z "${OPAL_BROADCAST_URI:-}" ] && [ "$UVICORN_NUM_WORKERS" != 1 ]; then
    echo "OPAL_BROADCAST_URI must be set when having multiple workers" >&2
    exit 1
fi
exec gunicorn -b "0.0.0.0:$UVICORN_PORT" -k uvicorn.workers.UvicornWorker --workers="$UVICORN_NUM_WORKERS" \
    -c "$GUNICORN_CONF" -t "${GUNICORN_TIMEOUT:-30}" --keep-alive "${GUNICORN_KEEP_ALIVE_TIMEOUT:-5}" \
    "$UVICORN_ASGI_APP"
