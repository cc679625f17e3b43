"""The communities of interest as the policies read them, and which tags exclude each other on a document."""

from typing import Any

from dive_infra.config.communities import COMMUNITIES, Community

# A document cannot carry both: what is for one country only is not for several.
_EXCLUSIVE = {
    "US-ONLY": ("FVEY", "NATO", "NATO-COSMIC", "CAN-US", "GBR-US", "FRA-US", "DEU-US", "AUKUS", "EU-RESTRICTED")
}

COUNT = 23


def _exclusive(coi: str) -> list[str]:
    return sorted({*_EXCLUSIVE.get(coi, ()), *(one for one, others in _EXCLUSIVE.items() if coi in others)})


def _definition(community: Community) -> dict[str, Any]:
    return {
        "_id": community.id,
        "coiId": community.id,
        "name": community.name,
        "type": community.kind,
        "memberCountries": sorted(community.members),
        "mutuallyExclusiveWith": _exclusive(community.id),
        "subsetOf": list(community.subset_of),
        "priority": community.priority,
        "status": "active",
        "enabled": True,
        "autoUpdate": False,
    }


def definitions() -> list[dict[str, Any]]:
    """Return the 23 documents of `coi_definitions`; `supersetOf` mirrors `subsetOf`."""
    rows = [_definition(community) for community in COMMUNITIES]
    inside = {row["coiId"]: [other["coiId"] for other in rows if row["coiId"] in other["subsetOf"]] for row in rows}
    return [row | {"supersetOf": inside[row["coiId"]]} for row in rows]
