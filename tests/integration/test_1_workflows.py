"""A step of a GitHub workflow, run unchanged: the preview of a fork, which has neither state nor secrets."""

import os
import shutil
import subprocess
from pathlib import Path

import yaml

from dive_infra.config.paths import ROOT
from dive_infra.plans.plan import Preview


def test_the_preview_step_of_a_fork_makes_its_text_and_its_plan(tmp_path: Path) -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "preview.yml").read_text())["jobs"]["preview"]
    [step] = [s["run"] for s in job["steps"] if s.get("name") == "Preview"]
    for file in ROOT.glob("Pulumi.*.yaml"):
        shutil.copy(file, tmp_path)
    # As GitHub gives them to a fork: empty. The stack files are in a folder from which no country was ever deployed.
    given = {name: "" for name in job["env"] if name.startswith("PULUMI_")}
    environment = os.environ | given | {"COUNTRY": "FRA", "DIVE_STACKS": str(tmp_path)}
    command = step.replace("preview/", f"{tmp_path}/")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    [plan] = Preview.model_validate_json((tmp_path / "plan-fra.json").read_text()).plans
    assert (plan.country, plan.result, plan.situation) == ("FRA", "planned", "fresh")
    assert plan.changes["create"] > 100
    assert "FRA" in (tmp_path / "preview-fra.md").read_text().splitlines()[0]
