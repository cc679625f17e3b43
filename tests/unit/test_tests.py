"""The tests themselves: imports go downwards only, and a module's test is found by its name."""

import ast
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

import tests
from dive_infra.config.paths import ROOT

PACKAGE = Path(tests.__file__).parent

# From the top: a package may import those after it (and its own). Packages in one row may not import each other.
ORDER = (
    {"unit", "providers", "integration"},
    {"bench"},
    {"faults"},
    {"coalition"},
    {"support"},
)
# Words that hide what happens, and plain ones in their place.
PLAIN = {
    "anew": "again",
    "begin": "start",
    "begun": "started",
    "mend": "repair",
    "mended": "repaired",
    "mends": "repairs",
    "nobody": "no_one",
    "somebody": "another, or the passive",
    "told": "reported",
    "whatever": "any",
}
RANK = {name: place for place, row in enumerate(ORDER) for name in row}


def imported(path: Path) -> set[str]:
    """Return the packages of tests from which the file imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "tests":
            modules |= {f"tests.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module.split(".")[1] for module in modules if module.startswith("tests.")}


@pytest.mark.parametrize("folder", ["unit", "providers", "integration"])
def test_every_file_of_tests_can_be_imported(folder: str) -> None:
    """One that cannot ends the lane of all tests that need an engine before the first of them."""
    for path in sorted((PACKAGE / folder).rglob("test_*.py")):
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_every_package_has_its_place() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == RANK.keys()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/**/*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_of_the_tests_imports_only_downwards(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts[0]
    for there in imported(path) - {here}:
        assert RANK[there] > RANK[here], f"tests.{here} must not import tests.{there}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("test_*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_name_of_a_test_uses_plain_words(path: Path) -> None:
    names = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    found = {word for name in names if name.startswith("test_") for word in name.split("_") if word in PLAIN}
    assert {word: PLAIN[word] for word in found} == {}


# Modules without a test file of their name: (pattern, the file that tests them, why it is another one).
COVERED = (
    ("phases/*", "unit/test_program.py", "a phase declares resources: tested by running the whole program on mocks"),
    ("components/*", "unit/test_program.py", "as phases"),
    ("stacks/*", "unit/test_program.py", "as phases"),
    ("catalog/policy.py", "unit/test_policies.py", "with OPA, which decides by it"),
    ("catalog/opal/*", "providers/test_opal.py", "a service is tested by starting it"),
    ("catalog/*", "providers/test_services.py", "a service is tested by starting it"),
    ("automation/failures.py", "unit/cli/test_progress.py", "what the command prints for each"),
    ("automation/reporter.py", "unit/cli/test_progress.py", "a protocol; this is its implementation"),
    ("automation/pending_creates.py", "integration/test_5_unrecorded.py", "needs a realm, a database and an engine"),
    ("automation/recovery.py", "integration/test_1_locked.py", "needs runs that were killed"),
    ("automation/failed_update.py", "providers/test_orchestration.py", "needs the record"),
    ("automation/country_lock.py", "integration/test_5_third_country.py", "needs the record and a verb that waits"),
    ("checks/decisions.py", "unit/test_policies.py", "with OPA, which decides"),
    ("checks/configuration.py", "providers/test_identity.py", "needs Keycloak"),
    ("checks/*", "providers/test_checks.py", "needs servers that are damaged"),
    ("clients/*", "providers/test_checks.py", "needs servers"),
    ("cli/exits.py", "unit/results/test_codes.py", "exit codes and error codes are one table"),
    ("cli/explain.py", "unit/results/test_codes.py", "prints that table"),
    ("cli/history_table.py", "unit/cli/test_history.py", "the table that the verb prints"),
    ("cli/output.py", "unit/cli/test_status_table.py", "its shapes, in expected outputs"),
    ("cli/reload_secrets.py", "integration/test_5_third_country.py", "needs servers that take new secrets"),
    ("cli/repair*.py", "unit/diagnosis/test_repair.py", "the verb acts on the plan that is tested there"),
    ("cli/test.py", "unit/cli/test_lanes.py", "chooses lanes and prints what they report"),
    ("cli/outcomes.py", "unit/cli/test_up.py", "the table at its end"),
    ("cli/readiness.py", "unit/cli/test_rotate_ca.py", "refuses a step, and names how to go on"),
    ("config/clearances.py", "unit/seeds/test_national_clearances.py", "a table; the seeds translate it"),
    ("config/communities.py", "unit/seeds/test_communities.py", "a table; the seeds translate it"),
    ("config/countries.py", "unit/config/test_naming.py", "a table; names follow from it"),
    ("config/later_fields.py", "unit/checks/test_spec.py", "what a specification leaves out"),
    ("config/paths.py", "unit/automation/test_workspace.py", "constants"),
    ("config/timeouts.py", "providers/test_images.py", "constants"),
    ("diagnosis/diagnosis.py", "unit/diagnosis/test_repair.py", "a repair's first half"),
    ("diagnosis/symptoms.py", "unit/diagnosis/test_repair.py", "a repair's first half"),
    ("diagnosis/snapshot.py", "unit/diagnosis/test_status.py", "the input of every status"),
    ("diagnosis/deployment_state.py", "unit/diagnosis/test_status.py", "one of the axes of a status"),
    ("diagnosis/*", "integration/test_4_status.py", "needs real logins and certificates"),
    ("dynamic/runtime/*", "providers/test_deployment_run.py", "a run with its record"),
    ("dynamic/data_volume.py", "providers/test_storage_resources.py", "with the network probe"),
    ("dynamic/network_probe.py", "providers/test_storage_resources.py", "with data volumes"),
    ("dynamic/gate.py", "providers/test_container_resources.py", "files, probe and gate make one container"),
    ("dynamic/report.py", "unit/checks/test_report.py", "writes the report that is tested there"),
    ("dynamic/*", "integration/test_3_heal.py", "a row of the faults damages what it keeps"),
    ("engines/data_loss.py", "unit/diagnosis/test_repair.py", "the choice that a repair names"),
    ("engines/declaration.py", "providers/test_container_resources.py", "needs an engine"),
    ("engines/docker/*", "providers/test_container_resources.py", "needs an engine"),
    ("identity/opal_token.py", "unit/test_policies.py", "with the policies that it lets a country read"),
    ("identity/browser.py", "providers/test_portal_session.py", "needs a portal"),
    ("identity/login.py", "providers/test_portal_session.py", "needs a portal"),
    ("identity/*", "providers/test_identity.py", "needs Keycloak"),
    ("images/*", "providers/test_images.py", "needs an engine"),
    ("orchestration/*", "providers/test_orchestration.py", "needs Postgres"),
    ("process/lock_refusal.py", "integration/test_5_interrupt.py", "passes a refusal from one process to another"),
    ("results/errors.py", "unit/results/test_remedy.py", "an error carries a remedy"),
    ("results/report_part.py", "unit/diagnosis/test_status_report.py", "the base of reports that follow a schema"),
    ("rotation/*", "unit/rotation/test_rotation.py", "sources and targets of a rotation"),
    ("seeds/*", "providers/test_seeds.py", "needs MongoDB"),
    ("teardown/*", "integration/test_5_third_country.py", "needs a country to remove"),
    ("toolchain/debian.py", "integration/test_4_portal.py", "installs the browser that is used there, as root"),
)  # fmt: skip


def modules() -> list[Path]:
    package = ROOT / "dive_infra"
    found = (path for path in sorted(package.rglob("*.py")) if path.stem not in ("__init__", "__main__"))
    return [path.relative_to(package) for path in found]


def named(module: Path) -> bool:
    """Return True if a test file has the module's name."""
    places = (PACKAGE / "unit" / module.parent, PACKAGE / "providers")
    return any((place / f"test_{module.name}").exists() for place in places)


def row(module: Path) -> int | None:
    """Return the number of the first row of `COVERED` that is of the module."""
    return next((n for n, (pattern, _, _) in enumerate(COVERED) if fnmatch(str(module), pattern)), None)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_modules_test_is_found_by_its_name_or_in_the_table(module: Path) -> None:
    assert named(module) or row(module) is not None, f"expected tests/unit/{module.parent}/test_{module.name}"


def test_every_row_of_the_table_is_needed_and_names_a_file() -> None:
    needed = {row(module) for module in modules() if not named(module)}
    assert [COVERED[n] for n in range(len(COVERED)) if n not in needed] == []
    assert [file for _, file, _ in COVERED if not (PACKAGE / file).exists()] == []
