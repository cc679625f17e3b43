"""Rego is compiled before a deployment where this machine has built OPA."""

import pytest

from dive_infra.catalog import policy
from dive_infra.toolchain import rego, toolchain

RULE = "package national.checks.night\n\n%s\n"


def _local(text: str) -> dict[str, str]:
    return policy.policies() | policy.local_modules({"opa-read": ""}, {"night": RULE % text})


@pytest.fixture(autouse=True, scope="module")
def opa() -> None:
    toolchain.binary("opa", print)


def test_what_compiles_with_the_policies_passes() -> None:
    assert rego.compiled(_local("pass if data.dive.levels.clearance > 1"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pass if {", "rego_parse_error"),
        ("pass if missing(input)", "undefined function missing"),
        ("pass if data.national.answer.allow", "recursive"),
    ],
)
def test_what_does_not_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(rego.NotRego, match=told) as refused:
        rego.compiled(_local(text))
    assert "etc/dive/local/checks/night.rego:" in str(refused.value)
    assert "/tmp" not in str(refused.value)


def test_without_opa_on_this_machine_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "built", lambda *_: None)
    assert not rego.compiled(_local("pass if {"))
