"""What is built here for another engine."""

from unittest.mock import Mock

import pytest

from dive_infra.images import builder
from dive_infra.images.builder import BuildError


@pytest.mark.parametrize(("service", "holds"), [("opa", True), ("backend", False)])
def test_programs_of_this_machine_are_not_put_into_images_for_another_processor(
    service: str, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(builder.toolchain, "binary", lambda *_: pytest.fail("built for nothing"))
    engine = Mock()
    engine.info.return_value = {"Architecture": "aarch64"}
    engine.api.build.return_value = []
    if not holds:
        builder.build(engine, service, "base", "dive.local/x:1", {}, lambda _: None)
        return
    for build in (
        lambda: builder.build(engine, service, "base", "dive.local/x:1", {}, lambda _: None),
        lambda: builder.debootstrap(engine, "dive.local/x:1", lambda _: None),
    ):
        with pytest.raises(BuildError) as refused:
            build()
        assert str(refused.value) == (
            "dive.local/x:1 holds programs that are built here for amd64, and the engine has arm64; next: "
            "name images that it can pull in dive:images, or run this on a machine with arm64"
        )
