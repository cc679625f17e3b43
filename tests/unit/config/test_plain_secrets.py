"""A secret in plain text is refused, also among encrypted ones, which Pulumi does not see."""

from pathlib import Path

import pytest

from dive_infra.config import paths
from dive_infra.config.plain_secrets import refuse_plain_secrets
from dive_infra.config.settings import SettingsError

SECURE = "      secure: v1:abc\n"


@pytest.mark.parametrize(
    ("secrets", "plain"),
    [
        ("", ""),
        (f"  dive:secrets:\n    redis:\n{SECURE}", ""),
        ("  dive:secrets:\n    secure: v1:abc\n", ""),
        (f"  dive:secrets:\n    redis: canary\n    ca-key:\n{SECURE}", "redis"),
        ("  dive:secrets:\n    redis: canary\n    mongodb: canary\n", "redis, mongodb"),
        ('  dive:secrets: \'{"redis": "canary"}\'\n', "all"),
    ],
    ids=["none", "encrypted", "encrypted as a whole", "one of two", "both", "as JSON"],
)
def test_a_secret_that_anyone_can_read_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: str, plain: str
) -> None:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    (tmp_path / "Pulumi.fra.yaml").write_text(f"config:\n  dive:documents: 20\n{secrets}")
    if not plain:
        refuse_plain_secrets("fra")
        return
    with pytest.raises(SettingsError) as refused:
        refuse_plain_secrets("fra")
    assert f"in plain text in Pulumi.fra.yaml ({plain})" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_stack_file_that_is_elsewhere_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    refuse_plain_secrets("fra")
