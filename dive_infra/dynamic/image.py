"""The image of a service on the engine: present, pulled, or built from `images/`."""

import pulumi
from pulumi.dynamic import Resource

from dive_infra import engines
from dive_infra.dynamic.base import Inputs, Outputs, Provider, tell
from dive_infra.images import country_images


class ImageProvider(Provider):
    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        found = country_images.resolve(inputs["service"], inputs["reference"], tell)
        return inputs["service"], {"image_id": found.id, "source": found.source}

    def drift_reason(self, before: Inputs) -> str | None:
        present = engines.connect().has_image(before["image_id"])
        return None if present else "its image is gone from the engine"


class Image(Resource, module="dive", name="Image"):
    """`image_id` (`sha256:…`) is what containers use; `source` is `present`, `pulled` or `built`.

    `recipe` is the hash of the image's build input, so that an edit of it is a change of this resource.
    """

    image_id: pulumi.Output[str]
    source: pulumi.Output[str]

    def __init__(
        self, name: str, service: str, reference: str, recipe: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {"service": service, "reference": reference, "recipe": recipe, "image_id": None, "source": None}
        super().__init__(ImageProvider(), name, props, opts)
