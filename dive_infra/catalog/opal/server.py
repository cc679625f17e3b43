"""Gunicorn's configuration of the OPAL server: TLS, and secrets from files instead of the container's environment."""

import os
from pathlib import Path

_FILES = Path("/etc/dive")

certfile = str(_FILES / "tls.crt")
keyfile = str(_FILES / "tls.key")
worker_tmp_dir = "/tmp"

os.environ |= {
    "OPAL_AUTH_MASTER_TOKEN": (_FILES / "opal-master").read_text(),
    # Nobody calls the web hook: with a secret, nobody can.
    "OPAL_POLICY_REPO_WEBHOOK_SECRET": (_FILES / "opal-master").read_text(),
    "OPAL_POLICY_BUNDLE_SERVER_TOKEN": (_FILES / "hub-token").read_text(),
}
