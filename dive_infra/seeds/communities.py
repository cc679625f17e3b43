"""The communities of interest (COI): who may hold a document's tag, and which tags exclude each other."""

from typing import Any

from dive_infra.config.countries import COUNTRIES

NATO = tuple(c.code for c in COUNTRIES.values() if c.offset < 32)
FVEY = ("AUS", "CAN", "GBR", "NZL", "USA")
EVERYBODY = tuple(sorted(COUNTRIES))
_EU = "BEL BGR HRV CZE DNK EST FIN FRA DEU GRC HUN ITA LVA LTU LUX NLD POL PRT ROU SVK SVN ESP SWE"
_GROUPS = {"@ALL": EVERYBODY, "@NATO": NATO, "@FVEY": FVEY, "@EU": tuple(_EU.split())}

# id | name | type | member countries | subset of | priority
_ROWS = """
DEFAULT|Default|coalition|@ALL||0
FVEY|Five Eyes|coalition|@FVEY||90
NATO|North Atlantic Treaty Organization|coalition|@NATO||80
NATO-COSMIC|NATO COSMIC|coalition|@NATO|NATO|95
US-ONLY|United States only|national|USA||100
CAN-US|Canada and United States|bilateral|CAN USA|NATO FVEY|70
GBR-US|United Kingdom and United States|bilateral|GBR USA|NATO FVEY|70
FRA-US|France and United States|bilateral|FRA USA|NATO|70
DEU-US|Germany and United States|bilateral|DEU USA|NATO|70
AUKUS|Australia, United Kingdom and United States|coalition|AUS GBR USA|FVEY|85
QUAD|Quadrilateral Security Dialogue|coalition|AUS JPN USA||60
EU-RESTRICTED|European Union Restricted|coalition|@EU||60
NORTHCOM|Northern Command|command|CAN USA||50
EUCOM|European Command|command|@NATO||50
PACOM|Pacific Command|command|AUS CAN GBR JPN KOR NZL USA||50
CENTCOM|Central Command|command|AUS CAN FRA GBR ITA NLD USA||50
SOCOM|Special Operations Command|command|@FVEY||50
Alpha|Project Alpha|project|@ALL||10
Beta|Project Beta|project|@ALL||10
Gamma|Project Gamma|project|@ALL||10
TEST-COI|Test community|test|@ALL||1
NEW-COI|New community|test|@ALL||1
PACIFIC-ALLIANCE|Pacific Alliance|coalition|AUS JPN KOR NZL USA||40
"""

# A document cannot carry both: what is for one country alone is not for several.
_EXCLUSIVE = {
    "US-ONLY": ("FVEY", "NATO", "NATO-COSMIC", "CAN-US", "GBR-US", "FRA-US", "DEU-US", "AUKUS", "EU-RESTRICTED")
}

COUNT = 23


def _exclusive(coi: str) -> list[str]:
    return sorted({*_EXCLUSIVE.get(coi, ()), *(one for one, others in _EXCLUSIVE.items() if coi in others)})


def _definition(row: str) -> dict[str, Any]:
    coi, name, kind, members, subset, priority = row.split("|")
    return {
        "_id": coi,
        "coiId": coi,
        "name": name,
        "type": kind,
        "memberCountries": sorted(code for word in members.split() for code in _GROUPS.get(word, (word,))),
        "mutuallyExclusiveWith": _exclusive(coi),
        "subsetOf": subset.split(),
        "priority": int(priority),
        "status": "active",
        "enabled": True,
        "autoUpdate": False,
    }


def definitions() -> list[dict[str, Any]]:
    """The 23 documents of `coi_definitions`; `supersetOf` mirrors `subsetOf`."""
    rows = [_definition(row) for row in _ROWS.strip().splitlines()]
    inside = {row["coiId"]: [other["coiId"] for other in rows if row["coiId"] in other["subsetOf"]] for row in rows}
    return [row | {"supersetOf": inside[row["coiId"]]} for row in rows]
