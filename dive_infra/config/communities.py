"""The communities of interest (COI): which there are, and whose people may hold their tags."""

from dataclasses import dataclass

from dive_infra.config.countries import COUNTRIES

NATO = tuple(c.code for c in COUNTRIES.values() if c.offset < 32)
FVEY = ("AUS", "CAN", "GBR", "NZL", "USA")
EVERYBODY = tuple(sorted(COUNTRIES))
_EU_CODES = "BEL BGR HRV CZE DNK EST FIN FRA DEU GRC HUN ITA LVA LTU LUX NLD POL PRT ROU SVK SVN ESP SWE"
_EU = tuple(_EU_CODES.split())


@dataclass(frozen=True)
class Community:
    """A row: `members` are country codes, `priority` is 0 to 100."""

    id: str
    name: str
    kind: str
    members: tuple[str, ...]
    priority: int
    subset_of: tuple[str, ...] = ()


COMMUNITIES = (
    Community("DEFAULT", "Default", "coalition", EVERYBODY, 0),
    Community("FVEY", "Five Eyes", "coalition", FVEY, 90),
    Community("NATO", "North Atlantic Treaty Organization", "coalition", NATO, 80),
    Community("NATO-COSMIC", "NATO COSMIC", "coalition", NATO, 95, subset_of=("NATO",)),
    Community("US-ONLY", "United States only", "national", ("USA",), 100),
    Community("CAN-US", "Canada and United States", "bilateral", ("CAN", "USA"), 70, subset_of=("NATO", "FVEY")),
    Community(
        "GBR-US", "United Kingdom and United States", "bilateral", ("GBR", "USA"), 70, subset_of=("NATO", "FVEY")
    ),
    Community("FRA-US", "France and United States", "bilateral", ("FRA", "USA"), 70, subset_of=("NATO",)),
    Community("DEU-US", "Germany and United States", "bilateral", ("DEU", "USA"), 70, subset_of=("NATO",)),
    Community(
        "AUKUS",
        "Australia, United Kingdom and United States",
        "coalition",
        ("AUS", "GBR", "USA"),
        85,
        subset_of=("FVEY",),
    ),
    Community("QUAD", "Quadrilateral Security Dialogue", "coalition", ("AUS", "JPN", "USA"), 60),
    Community("EU-RESTRICTED", "European Union Restricted", "coalition", _EU, 60),
    Community("NORTHCOM", "Northern Command", "command", ("CAN", "USA"), 50),
    Community("EUCOM", "European Command", "command", NATO, 50),
    Community("PACOM", "Pacific Command", "command", ("AUS", "CAN", "GBR", "JPN", "KOR", "NZL", "USA"), 50),
    Community("CENTCOM", "Central Command", "command", ("AUS", "CAN", "FRA", "GBR", "ITA", "NLD", "USA"), 50),
    Community("SOCOM", "Special Operations Command", "command", FVEY, 50),
    Community("Alpha", "Project Alpha", "project", EVERYBODY, 10),
    Community("Beta", "Project Beta", "project", EVERYBODY, 10),
    Community("Gamma", "Project Gamma", "project", EVERYBODY, 10),
    Community("TEST-COI", "Test community", "test", EVERYBODY, 1),
    Community("NEW-COI", "New community", "test", EVERYBODY, 1),
    Community("PACIFIC-ALLIANCE", "Pacific Alliance", "coalition", ("AUS", "JPN", "KOR", "NZL", "USA"), 40),
)
