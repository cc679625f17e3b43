"""Whose people a country serves: its own, and those of the partners to which it is linked now.

The country itself declares that, in `partners.json`, which changes while the services run. No policy that the hub
distributes can add a country, and a partner that was cut off is refused at the next request, whatever its tokens say.
"""

import json


def linked(text: str) -> frozenset[str]:
    """Parse `partners.json`; return the codes of the partners, or raise `ValueError` for anything else."""
    found = json.loads(text)
    try:
        return frozenset(str(row["code"]) for row in found["partners"])
    except (KeyError, TypeError):
        raise ValueError("expected `partners`, each with its code") from None
