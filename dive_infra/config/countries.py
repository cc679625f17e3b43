"""The countries that can be part of the coalition: one table, one parser.

The rows come from the country tables of DIVE V3 (name, time zone, locale, port offset). Offsets are unique; `naming`
turns them into ports. Keycloak ships a translation for every locale, or falls back to `en`.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from dive_infra.results.errors import DiveError

HUB_CODE = "USA"


class UnknownCountry(DiveError, ValueError):
    """A country code that is malformed or not in the table."""


@dataclass(frozen=True)
class Country:
    """A country: `code` is upper-case ISO 3166-1 alpha-3, `offset` its place in every port range (0 to 255)."""

    code: str
    name: str
    zone: str
    locale: str
    offset: int

    @property
    def lower(self) -> str:
        """Return the code as it is written in names of containers, realms and rows: `fra`."""
        return self.code.lower()

    @property
    def is_hub(self) -> bool:
        return self.code == HUB_CODE


_TABLE = (
    Country("USA", "United States", "America/New_York", "en", 0),
    Country("ALB", "Albania", "Europe/Tirane", "sq", 1),
    Country("BEL", "Belgium", "Europe/Brussels", "nl", 2),
    Country("BGR", "Bulgaria", "Europe/Sofia", "bg", 3),
    Country("CAN", "Canada", "America/Toronto", "en", 4),
    Country("HRV", "Croatia", "Europe/Zagreb", "hr", 5),
    Country("CZE", "Czechia", "Europe/Prague", "cs", 6),
    Country("DNK", "Denmark", "Europe/Copenhagen", "da", 7),
    Country("EST", "Estonia", "Europe/Tallinn", "et", 8),
    Country("FIN", "Finland", "Europe/Helsinki", "fi", 9),
    Country("FRA", "France", "Europe/Paris", "fr", 10),
    Country("DEU", "Germany", "Europe/Berlin", "de", 11),
    Country("GRC", "Greece", "Europe/Athens", "el", 12),
    Country("HUN", "Hungary", "Europe/Budapest", "hu", 13),
    Country("ISL", "Iceland", "Atlantic/Reykjavik", "is", 14),
    Country("ITA", "Italy", "Europe/Rome", "it", 15),
    Country("LVA", "Latvia", "Europe/Riga", "lv", 16),
    Country("LTU", "Lithuania", "Europe/Vilnius", "lt", 17),
    Country("LUX", "Luxembourg", "Europe/Luxembourg", "fr", 18),
    Country("MNE", "Montenegro", "Europe/Podgorica", "sr", 19),
    Country("NLD", "Netherlands", "Europe/Amsterdam", "nl", 20),
    Country("MKD", "North Macedonia", "Europe/Skopje", "mk", 21),
    Country("NOR", "Norway", "Europe/Oslo", "no", 22),
    Country("POL", "Poland", "Europe/Warsaw", "pl", 23),
    Country("PRT", "Portugal", "Europe/Lisbon", "pt", 24),
    Country("ROU", "Romania", "Europe/Bucharest", "ro", 25),
    Country("SVK", "Slovakia", "Europe/Bratislava", "sk", 26),
    Country("SVN", "Slovenia", "Europe/Ljubljana", "sl", 27),
    Country("ESP", "Spain", "Europe/Madrid", "es", 28),
    Country("SWE", "Sweden", "Europe/Stockholm", "sv", 29),
    Country("TUR", "Turkey", "Europe/Istanbul", "tr", 30),
    Country("GBR", "United Kingdom", "Europe/London", "en", 31),
    Country("AUS", "Australia", "Australia/Sydney", "en", 32),
    Country("NZL", "New Zealand", "Pacific/Auckland", "en", 33),
    Country("JPN", "Japan", "Asia/Tokyo", "ja", 34),
    Country("KOR", "South Korea", "Asia/Seoul", "ko", 35),
    Country("ISR", "Israel", "Asia/Jerusalem", "he", 36),
    Country("UKR", "Ukraine", "Europe/Kyiv", "uk", 37),
    Country("TST", "Test", "Etc/UTC", "en", 200),
    Country("DEV", "Development", "Etc/UTC", "en", 201),
    Country("QAA", "Quality Assurance A", "Etc/UTC", "en", 202),
    Country("QAB", "Quality Assurance B", "Etc/UTC", "en", 203),
    Country("STG", "Staging", "Etc/UTC", "en", 204),
    Country("DMO", "Demonstration", "Etc/UTC", "en", 205),
    Country("TRN", "Training", "Etc/UTC", "en", 206),
    Country("SND", "Sandbox", "Etc/UTC", "en", 207),
    Country("ORF", "Orphan", "Etc/UTC", "en", 208),
    Country("TMP", "Temporary", "Etc/UTC", "en", 209),
    Country("LOC", "Local", "Etc/UTC", "en", 210),
    Country("INT", "Integration", "Etc/UTC", "en", 211),
    Country("UAT", "Acceptance", "Etc/UTC", "en", 212),
    Country("PRF", "Performance", "Etc/UTC", "en", 213),
    Country("SEC", "Security", "Etc/UTC", "en", 214),
)

COUNTRIES: dict[str, Country] = {country.code: country for country in _TABLE}
HUB = COUNTRIES[HUB_CODE]


def parse(code: str) -> Country:
    """Return the country with exactly this code (`FRA`).

    Raises `UnknownCountry`, with the nearest known code, for everything that is not three capital ASCII letters of the
    table. Nothing else ever reaches a path, a name or a query.
    """
    if re.fullmatch(r"[A-Z]{3}", code) and code in COUNTRIES:
        return COUNTRIES[code]
    near = get_close_matches(code.upper(), COUNTRIES, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UnknownCountry(f"country {code!a} is not known: expected three capital letters such as FRA{hint}")
