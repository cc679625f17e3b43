"""`./dive explain 1301`: what an error code means, and what fixes it."""

from typing import Annotated

import typer

from dive_infra.cli.exits import Exit
from dive_infra.cli.output import show, stdout
from dive_infra.cli.progress import fail
from dive_infra.results.codes import CODES, KINDS, UnknownCode, find, page
from dive_infra.results.remedy import Remedy


def known(incomplete: str) -> list[tuple[str, str]]:
    """Return the codes that start with this prefix, for the shell's completion."""
    return [(str(c.number), c.title) for c in CODES.values() if str(c.number).startswith(incomplete)]


def explain(
    code: Annotated[
        str | None, typer.Argument(help="A code such as 1301; by default all are listed.", autocompletion=known)
    ] = None,
    as_page: Annotated[
        bool, typer.Option("--page", help="Print docs/reference/errors.md, made from the table.")
    ] = False,
) -> None:
    """Explain an error code: its cause, and what fixes it."""
    console = stdout()
    if as_page:
        typer.echo(page(), nl=False)
        return
    if code is None:
        for row in CODES.values():
            show(f"{row.number}  {row.title}", console)
        return
    try:
        row = find(code)
    except UnknownCode as error:
        fail(str(error), Exit.UNKNOWN, Remedy.run("./dive explain"))
    show(f"{row.number} {row.title} ({row.kind}: {KINDS[row.kind].replace('`', '')})", console)
    show(f"  cause  {row.cause.replace('`', '')}", console)
    show(f"  fix    {row.remedy.replace('`', '')}", console)
    if row.reserved:
        show("  kept from DIVE V3: this program does not report it", console)
    show(f"  more   {row.anchor}", console)
