"""The countries that can be part of the coalition: one table, one parser.

Source of the rows: the country tables of DIVE V3 (name, time zone, locale, port offset). An offset is unique; `naming`
turns it into ports. Every locale is one that Keycloak ships a translation for or falls back from (`en`).
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
        """The code as it stands in names of containers, realms and rows: `fra`."""
        return self.code.lower()

    @property
    def is_hub(self) -> bool:
        return self.code == HUB_CODE


_ROWS = """
USA|United States|America/New_York|en|0
ALB|Albania|Europe/Tirane|sq|1
BEL|Belgium|Europe/Brussels|nl|2
BGR|Bulgaria|Europe/Sofia|bg|3
CAN|Canada|America/Toronto|en|4
HRV|Croatia|Europe/Zagreb|hr|5
CZE|Czechia|Europe/Prague|cs|6
DNK|Denmark|Europe/Copenhagen|da|7
EST|Estonia|Europe/Tallinn|et|8
FIN|Finland|Europe/Helsinki|fi|9
FRA|France|Europe/Paris|fr|10
DEU|Germany|Europe/Berlin|de|11
GRC|Greece|Europe/Athens|el|12
HUN|Hungary|Europe/Budapest|hu|13
ISL|Iceland|Atlantic/Reykjavik|is|14
ITA|Italy|Europe/Rome|it|15
LVA|Latvia|Europe/Riga|lv|16
LTU|Lithuania|Europe/Vilnius|lt|17
LUX|Luxembourg|Europe/Luxembourg|fr|18
MNE|Montenegro|Europe/Podgorica|sr|19
NLD|Netherlands|Europe/Amsterdam|nl|20
MKD|North Macedonia|Europe/Skopje|mk|21
NOR|Norway|Europe/Oslo|no|22
POL|Poland|Europe/Warsaw|pl|23
PRT|Portugal|Europe/Lisbon|pt|24
ROU|Romania|Europe/Bucharest|ro|25
SVK|Slovakia|Europe/Bratislava|sk|26
SVN|Slovenia|Europe/Ljubljana|sl|27
ESP|Spain|Europe/Madrid|es|28
SWE|Sweden|Europe/Stockholm|sv|29
TUR|Turkey|Europe/Istanbul|tr|30
GBR|United Kingdom|Europe/London|en|31
AUS|Australia|Australia/Sydney|en|32
NZL|New Zealand|Pacific/Auckland|en|33
JPN|Japan|Asia/Tokyo|ja|34
KOR|South Korea|Asia/Seoul|ko|35
ISR|Israel|Asia/Jerusalem|he|36
UKR|Ukraine|Europe/Kyiv|uk|37
TST|Test|Etc/UTC|en|200
DEV|Development|Etc/UTC|en|201
QAA|Quality Assurance A|Etc/UTC|en|202
QAB|Quality Assurance B|Etc/UTC|en|203
STG|Staging|Etc/UTC|en|204
DMO|Demonstration|Etc/UTC|en|205
TRN|Training|Etc/UTC|en|206
SND|Sandbox|Etc/UTC|en|207
ORF|Orphan|Etc/UTC|en|208
TMP|Temporary|Etc/UTC|en|209
LOC|Local|Etc/UTC|en|210
INT|Integration|Etc/UTC|en|211
UAT|Acceptance|Etc/UTC|en|212
PRF|Performance|Etc/UTC|en|213
SEC|Security|Etc/UTC|en|214
"""


def _read(row: str) -> Country:
    code, name, zone, locale, offset = row.split("|")
    return Country(code, name, zone, locale, int(offset))


COUNTRIES: dict[str, Country] = {c.code: c for c in map(_read, _ROWS.strip().splitlines())}
HUB = COUNTRIES[HUB_CODE]


def parse(code: str) -> Country:
    """The country with exactly this code (`FRA`).

    Raises `UnknownCountry`, naming the nearest known code, for anything that is not three capital ASCII letters of the
    table: nothing else ever reaches a path, a name or a query.
    """
    if re.fullmatch(r"[A-Z]{3}", code) and code in COUNTRIES:
        return COUNTRIES[code]
    near = get_close_matches(code.upper(), COUNTRIES, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UnknownCountry(f"country {code!r} is not known: expected three capital letters such as FRA{hint}")
