"""`./dive images`: which image each service has, and the committed lock of their digests."""

import typer

from dive_infra.catalog.services import services
from dive_infra.cli.steps import console, step
from dive_infra.countries import HUB, parse
from dive_infra.machine import engine, images
from dive_infra.naming import Names

app = typer.Typer(help="The images of the services.", no_args_is_help=True)


def references() -> dict[str, str]:
    """service -> the reference it has by default, over hub and spoke."""
    hub, spoke = Names(HUB), Names(parse("FRA"))
    specs = [*services(hub, hub, [spoke], {}), *services(spoke, hub, [hub], {})]
    return {spec.name: spec.image for spec in specs}


def ensure() -> None:
    """Every image on the engine: present, pulled, or built."""
    with step("images") as progress:
        found = images.resolve_all(engine.client(), references(), progress)
        progress(" · ".join(f"{name} {image.source}" for name, image in sorted(found.items())))


@app.command("list")
def list_images() -> None:
    """Show the configured reference of each service and what is on the engine for it."""
    for service, reference in sorted(references().items()):
        console.print(f"{service:12} {reference}")


@app.command()
def lock() -> None:
    """Record the digests of the official images in images.lock, from then on used instead of their tags."""
    with step("images.lock") as progress:
        for reference, digest in images.lock(references().values()).items():
            progress(f"{reference} {digest}")
