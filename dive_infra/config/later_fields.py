"""Fields of what is written that an earlier version did not have."""

from operator import not_

from pydantic import Field

# Of a pydantic model or a dataclass. While it is empty it is left out, so that states, fingerprints and signed files
# stay as the earlier version wrote them.
LEFT_OUT_IF_EMPTY = Field(exclude_if=not_)
