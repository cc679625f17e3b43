"""`./dive`: prepares a machine and deploys. What is deployed is decided by the Pulumi program alone."""

import typer

from dive_infra.cli import (
    bench,
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
    status,
    test,
    up,
)
from dive_infra.cli.exits import EPILOG

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    epilog=EPILOG,
)
app.command("up")(up.up)
app.command("repair")(repair.repair)
app.command("new")(new.new)
app.command("nuke")(nuke.nuke)
app.command("reload-secrets")(reload_secrets.reload_secrets)
app.command("restart")(restart.restart)
app.command("preview")(preview.preview)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)
app.command("history")(history.history)
app.command("env")(environment.env)
app.command("test")(test.test)
app.command("bench")(bench.bench)
app.add_typer(images.app, name="images")

if __name__ == "__main__":
    app(prog_name="./dive")
