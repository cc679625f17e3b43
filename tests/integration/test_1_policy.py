"""The policy pack in real previews: what breaks its rules is refused, what we deploy passes."""

import os
import shutil
import subprocess
from pathlib import Path

import yaml

from dive_infra.config.paths import ROOT
from dive_infra.plans.events import plan
from tests.coalition.country import Country
from tests.support import violations

PACK = ROOT / "policy"


def preview_of_violations(home: Path) -> subprocess.CompletedProcess[str]:
    analyzer = {"name": "policy-dive", "path": str(PACK)}
    project = {"name": "violations", "runtime": "python", "plugins": {"analyzers": [analyzer]}}
    (home / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    shutil.copy(violations.__file__, home / "__main__.py")
    (home / "state").mkdir()
    backend = {"PULUMI_BACKEND_URL": (home / "state").as_uri(), "PULUMI_CONFIG_PASSPHRASE": "only-for-tests"}
    environment = os.environ | backend | {"PULUMI_CONFIG_PASSPHRASE_FILE": ""}
    subprocess.run(["pulumi", "stack", "init", "v"], cwd=home, env=environment, check=True, capture_output=True)
    command = ["pulumi", "preview", "-s", "v", "--policy-pack", str(PACK), "--non-interactive", "--json"]
    told = environment | {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
    return subprocess.run(command, cwd=home, env=told, capture_output=True, text=True)


def test_a_program_that_breaks_the_rules_is_refused_by_each_of_them(tmp_path: Path) -> None:
    refused = preview_of_violations(tmp_path)
    assert refused.returncode != 0
    found = plan(refused.stdout.splitlines(), "USA", "", fresh=True, failed=True, seconds=0)
    broken = {error.partition(" breaks the rule ")[2].partition(":")[0] for error in found.errors}
    assert broken - {""} == {
        *("image-exact", "ports-on-one-address", "health-check", "limits", "no-privileges", "no-engine-socket"),
        *("no-plain-secret", "volumes-protected", "realm-brute-force", "realm-tls", "pkce", "redirects-exact"),
        "no-weak-flows",
    }
    assert any("breaks the rule read-only-root" in note for note in found.notes)
    assert any("the variable COLOUR holds a secret" in error for error in found.errors), "marked, by whatever name"
    assert violations.CANARY not in str([found.errors, found.notes])
    assert "Traceback" not in refused.stdout + refused.stderr


def test_the_hub_passes_every_rule(usa: Country) -> None:
    told = usa.pulumi("preview", "--policy-pack", str(PACK)).stdout
    assert "✅ dive@" in told
    assert "[advisory]" not in told
    assert "Traceback" not in told
