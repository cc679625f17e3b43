"""The commands of docs/how-to/choose-a-backend.md on a real Postgres: move a stack there, change its passphrase."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dive_infra.config.naming import LOOPBACK
from tests.support.lab import certificates
from tests.support.record import HUB_NAMES, Record

PASSWORD = "password-of-the-state"
CANARY = "canary-of-the-state"
PROGRAM = f"""
import pulumi

kept = pulumi.ComponentResource("tiny:index:Kept", "kept")
kept.register_outputs({{}})
pulumi.export("secret", pulumi.Output.secret("{CANARY}"))
"""


@dataclass
class Stack:
    """A stack of a tiny program, in one backend after another."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def pulumi(self, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_OPTION_")}
        environment |= {"PULUMI_CONFIG_PASSPHRASE_FILE": "", **self.variables, **variables}
        command = ["pulumi", *arguments, "--non-interactive"]
        return subprocess.run(command, cwd=self.home, env=environment, input=given, capture_output=True, text=True)

    def done(self, *arguments: str, given: str = "", **variables: str) -> str:
        ended = self.pulumi(*arguments, given=given, **variables)
        assert ended.returncode == 0, f"pulumi {' '.join(arguments)}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def secret(self, **variables: str) -> str:
        return str(
            json.loads(self.done("stack", "output", "--json", "--show-secrets", "-s", "s", **variables))["secret"]
        )


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "state").mkdir()
    made = Stack(tmp_path, {"PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(), "PULUMI_CONFIG_PASSPHRASE": "one"})
    made.done("stack", "init", "s", "--no-select")
    made.done("up", "--yes", "--skip-preview", "-s", "s")
    return made


@pytest.fixture
def there(record: Record, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A database for states with an owner of its own; the variables that name it, and prove who serves it."""
    with record.superuser() as root:
        root.execute(f"CREATE ROLE pulumi LOGIN PASSWORD '{PASSWORD}'".encode())
        root.execute(b"CREATE DATABASE pulumi OWNER pulumi TEMPLATE template0")
    ca = tmp_path / "ca.pem"
    ca.write_text(record.lab.material.ca)
    yield {
        "PULUMI_BACKEND_URL": f"postgres://pulumi@{LOOPBACK}:{HUB_NAMES.port('postgres')}/pulumi?sslmode=verify-full",
        "PGPASSWORD": PASSWORD,
        "PGSSLROOTCERT": str(ca),
    }
    with record.superuser() as root:
        root.execute(b"DROP DATABASE pulumi WITH (FORCE)")
        root.execute(b"DROP ROLE pulumi")


def test_a_stack_moves_from_a_folder_to_postgres_and_nothing_is_lost(
    stack: Stack, there: dict[str, str], record: Record
) -> None:
    stack.done("stack", "export", "-s", "s", "--file", "s.json")
    assert CANARY not in (stack.home / "s.json").read_text(), "what travels is encrypted"
    stack.variables |= there
    stack.done("stack", "init", "s", "--no-select")
    stack.done("stack", "import", "-s", "s", "--file", "s.json")

    assert stack.secret() == CANARY
    stack.done("preview", "-s", "s", "--expect-no-changes")
    stack.done("up", "--yes", "--skip-preview", "-s", "s", "--expect-no-changes")
    with record.superuser("pulumi") as root:
        rows = root.execute(b"SELECT key, data::text FROM pulumi_state").fetchall()
    assert any("stacks/tiny/s.json" in str(key) for key, _ in rows)
    assert PASSWORD not in stack.done("whoami", "--verbose"), "it is not in the address, so nothing can print it"


def test_a_server_that_another_authority_vouches_for_is_refused(
    stack: Stack, there: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(certificates(HUB_NAMES)[2])
    refused = stack.pulumi("stack", "ls", **{**there, "PGSSLROOTCERT": str(other)})
    assert refused.returncode != 0
    assert "certificate" in refused.stderr
    assert PASSWORD not in refused.stdout + refused.stderr


def test_the_passphrase_of_a_stack_changes_and_the_old_one_opens_nothing(stack: Stack) -> None:
    stack.done("stack", "change-secrets-provider", "passphrase", "-s", "s", given="two\n")
    assert stack.secret(PULUMI_CONFIG_PASSPHRASE="two") == CANARY
    refused = stack.pulumi("stack", "output", "--json", "--show-secrets", "-s", "s")
    assert refused.returncode != 0
    assert CANARY not in refused.stdout
