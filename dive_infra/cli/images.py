"""`./dive images`: which image each service uses, and the committed lock of their digests."""

from collections.abc import Sequence

import typer

from dive_infra.cli.progress import console, fail, step
from dive_infra.cli.stacks import chosen
from dive_infra.config.settings import Settings
from dive_infra.engines.engine import EngineError
from dive_infra.images import country_images, resolution
from dive_infra.images.country_images import references

app = typer.Typer(help="List and lock the images of the services.", no_args_is_help=True)


DEFAULT = ["USA", "FRA"]


def ensure(countries: Sequence[Settings]) -> None:
    """Find, pull or build every image of these countries, shown as one step."""
    with step("images") as progress:
        country_images.ensure(countries, progress)


@app.command("list")
def list_images() -> None:
    """Show each service's image, and whether it is on the engine."""
    try:
        images = country_images.found(chosen(DEFAULT))
    except EngineError as error:
        fail(str(error))
    for service, (reference, there) in images.items():
        found = f"{there.reference}  {there.id.removeprefix('sha256:')[:12]}" if there else "not on the engine"
        console.print(f"{service:12} {reference:48} {found}", soft_wrap=True)


@app.command()
def lock() -> None:
    """Record the digests of the official images in images.lock.

    From then on these are used instead of the tags.
    """
    with step("images.lock") as progress:
        for reference, digest in resolution.lock(references(chosen(DEFAULT)).values()).items():
            progress(f"{reference} {digest}")
