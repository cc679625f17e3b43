"""Whose people a country serves: its own, and those of its partners as far as the agreements with them go.

The country itself declares that, in `partners.json`, which changes while the services run. No policy that the hub
distributes can add a country, and a partner that was cut off is refused at the next request, whatever its tokens say.
"""

import json
from collections.abc import Mapping

from dive_common.agreements import Agreement


def linked(text: str) -> Mapping[str, Agreement]:
    """Parse `partners.json`; return the partners by code, or raise `ValueError` for anything else."""
    found = json.loads(text)
    try:
        return {
            str(row["code"]): Agreement.parse(row["agreement"]) if "agreement" in row else Agreement()
            for row in found["partners"]
        }
    except (KeyError, TypeError):
        raise ValueError("expected `partners`, each with its code, and an agreement only as a whole") from None
