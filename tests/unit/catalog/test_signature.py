"""The signature of the hub's policies and data: what the backend signs, our verification accepts, and OPA's own."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import jwt
import pytest

from dive_backend import distribution
from dive_infra.catalog import policy
from dive_infra.catalog.opal.signature import SIGNATURES, NotSigned, signed_at
from dive_infra.crypto import pki
from dive_infra.toolchain import toolchain

KEY = pki.rsa_key()
AHEAD = 4_000_000_000  # as a clock may be
PUBLIC = pki.public_key(KEY)
# What Python and Go could write differently.
ODD = {"é<&>": '\u2028\u2029\x7f\x01\x08\x0c"\\/\n\t', "😀": [1.5, 1e100, 1e-7, 10**20, True, None, {}], "a": {"b": []}}


def bundled(data: object = ODD, key: str = KEY) -> dict[str, bytes]:
    files = {path: text.encode() for path, text in policy.policies().items()}
    files |= {"data.json": distribution._json({"dive": {"odd": data}})}
    files |= {".manifest": distribution._json({"revision": "r", "roots": ["dive"], "rego_version": 1})}
    return files | {SIGNATURES: distribution.signature(files, key, AHEAD)}


def text(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: content.decode() for path, content in files.items()}


def _opa(tmp_path: Path, files: Mapping[str, bytes]) -> str:
    """Return what OPA says against the bundle; empty if it verifies it."""
    (tmp_path / "bundle.tar.gz").write_bytes(distribution.bundle(files))
    (tmp_path / "hub.pub").write_text(PUBLIC)
    verify = ["--bundle", "bundle.tar.gz", "--verification-key", "hub.pub", "--output", "out.tar.gz"]
    command = [toolchain.binary("opa", print), "build", *verify]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_opa_verifies_what_the_hub_signs(tmp_path: Path) -> None:
    assert _opa(tmp_path, bundled()) == ""
    assert "error" in _opa(tmp_path, bundled(key=pki.rsa_key()))
    assert "authz.rego" in _opa(tmp_path, bundled() | {"authz.rego": b"package dive.authz\n\nallow := true\n"})
    assert "data.json" in _opa(tmp_path, bundled() | {"data.json": distribution._json({"dive": {"odd": {}}})})


def test_a_signature_says_when_the_hub_signed() -> None:
    assert signed_at(text(bundled()), PUBLIC) == AHEAD


def _unsigned(files: dict[str, bytes]) -> None:
    files[SIGNATURES] = json.dumps({"signatures": [jwt.encode({"files": [], "iat": 1}, "", algorithm="none")]}).encode()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda f: f.update({"authz.rego": b"package dive.authz"}), "not what the hub signed: authz.rego"),
        (lambda f: f.pop("authz.rego"), "not what the hub signed: authz.rego"),
        (lambda f: f.update({"more.rego": b"package more"}), "not what the hub signed: more.rego"),
        (lambda f: f.update({"data.json": b"{}"}), "not what the hub signed: data.json"),
        (lambda f: f.pop(SIGNATURES), "no signature of the hub"),
        (lambda f: f.update({SIGNATURES: b"[]"}), "no signature of the hub"),
        (lambda f: f.update({SIGNATURES: b"{"}), "no signature of the hub"),
        (lambda f: f.update({SIGNATURES: bundled(key=pki.rsa_key())[SIGNATURES]}), "Signature verification failed"),
        (_unsigned, "no signature of the hub"),
    ],
)
def test_what_the_hub_did_not_sign_is_refused(change: object, found: str) -> None:
    files = bundled()
    assert callable(change)
    change(files)
    with pytest.raises(NotSigned, match=found):
        signed_at(text(files), PUBLIC)


@pytest.mark.parametrize("files", [None, [], "text", {}, {"data.json": 5}, {SIGNATURES: None}])
def test_what_has_another_form_is_refused(files: object) -> None:
    with pytest.raises(NotSigned):
        signed_at(files, PUBLIC)


@pytest.mark.parametrize("key", ["", "nonsense"])
def test_no_key_verifies_nothing(key: str) -> None:
    with pytest.raises(NotSigned, match="no signature of the hub"):
        signed_at(text(bundled()), key)
