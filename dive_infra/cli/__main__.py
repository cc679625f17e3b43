"""`./dive`: the table of all verbs."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer

from dive_infra import engines
from dive_infra.automation import stack_config
from dive_infra.cli import (
    bench,
    cut,
    doctor,
    environment,
    explain,
    history,
    images,
    new,
    nuke,
    preview,
    reload_secrets,
    repair,
    restart,
    rotate_ca,
    rotate_keys,
    status,
    test,
    up,
)
from dive_infra.cli.exits import EPILOG, Exit
from dive_infra.cli.progress import fail
from dive_infra.config.settings import SettingsError

# These touch no country of the stack files: the tests deploy their own, on this machine.
_WITHOUT_ENGINE = ("explain", "test", "bench")


@dataclass(frozen=True)
class Verb:
    """A command of `./dive`; its `examples` are shown at the end of its help."""

    name: str
    run: Callable[..., None]
    examples: tuple[str, ...]

    @property
    def epilog(self) -> str:
        # The mark keeps click from joining the lines.
        return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in self.examples)


VERBS = (
    Verb("up", up.up, ("./dive up", "./dive up FRA", "./dive up --all --parallel 4")),
    Verb("status", status.status, ("./dive status", "./dive status FRA --watch", "./dive status --short")),
    Verb("doctor", doctor.doctor, ("./dive doctor FRA --failed", "./dive doctor FRA --bundle support.tar.gz")),
    Verb("repair", repair.repair, ("./dive repair FRA --dry-run", "./dive repair FRA --yes")),
    Verb("restart", restart.restart, ("./dive restart FRA", "./dive restart FRA backend kas")),
    Verb(
        "reload-secrets",
        reload_secrets.reload_secrets,
        ("./dive reload-secrets FRA redis --generate", "./dive reload-secrets FRA --env-file secrets.env"),
    ),
    Verb("rotate-keys", rotate_keys.rotate_keys, ("./dive rotate-keys FRA", "./dive rotate-keys FRA --begin")),
    Verb("rotate-ca", rotate_ca.rotate_ca, ("./dive rotate-ca --begin", "./dive rotate-ca --continue --without FRA")),
    Verb("new", new.new, ("./dive new GBR", "./dive new GBR --show")),
    Verb("cut", cut.cut, ("./dive cut FRA --at USA", "./dive cut FRA --at USA --undo")),
    Verb("nuke", nuke.nuke, ("./dive nuke FRA", "./dive nuke FRA --yes")),
    Verb("preview", preview.preview, ("./dive preview FRA", "./dive preview --markdown comment.md")),
    Verb("history", history.history, ("./dive history", "./dive history FRA", "./dive history FRA 12")),
    Verb("explain", explain.explain, ("./dive explain", "./dive explain 1301")),
    Verb("env", environment.env, ('eval "$(./dive env)"',)),
    Verb("test", test.test, ("./dive test --fast", "./dive test -- tests/unit/cli/test_status.py")),
    Verb("bench", bench.bench, ("./dive bench --rounds 3",)),
)

app = typer.Typer(
    help="Prepare this machine, deploy the countries of a coalition, and operate them.\n\n"
    "What is deployed is decided by the Pulumi program alone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,  # the boxes of the other modes cut lines and show the type of a flag
    epilog=EPILOG,
)


@app.callback()
def select_engine(context: typer.Context) -> None:
    """Have the verb work with the engine of the stack files; it reports other wrong settings itself."""
    if context.invoked_subcommand in _WITHOUT_ENGINE or "--help" in sys.argv:
        return
    try:
        engines.select(stack_config.engine())
    except SettingsError as error:
        fail(str(error), Exit.UNKNOWN)


for verb in VERBS:
    app.command(verb.name, epilog=verb.epilog)(verb.run)
app.add_typer(images.app, name="images")

if __name__ == "__main__":
    app(prog_name="./dive")
