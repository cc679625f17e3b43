"""The five levels of classification and their national names. A nation writes the first of its names for a level."""

from typing import Any

from dive_infra.config.clearances import LEVELS

_NATO = ("NATO UNCLASSIFIED", "NATO RESTRICTED", "NATO CONFIDENTIAL", "NATO SECRET", "COSMIC TOP SECRET")

# Code -> the names of each of the five levels.
_NATIONAL: dict[str, tuple[tuple[str, ...], ...]] = {
    "USA": (("UNCLASSIFIED",), ("RESTRICTED", "FOUO"), ("CONFIDENTIAL",), ("SECRET",), ("TOP SECRET",)),
    "GBR": (("UNCLASSIFIED", "OFFICIAL"), ("OFFICIAL-SENSITIVE",), ("CONFIDENTIAL",), ("SECRET",), ("TOP SECRET",)),
    "FRA": (
        ("NON CLASSIFIÉ",),
        ("DIFFUSION RESTREINTE", "RESTREINT"),
        ("CONFIDENTIEL DÉFENSE", "CONFIDENTIEL"),
        ("SECRET DÉFENSE", "SECRET"),
        ("TRÈS SECRET DÉFENSE", "TRÈS SECRET"),
    ),
    "DEU": (
        ("OFFEN",),
        ("VS-NUR FÜR DEN DIENSTGEBRAUCH", "VS-NFD"),
        ("VS-VERTRAULICH",),
        ("GEHEIM",),
        ("STRENG GEHEIM",),
    ),
    "CAN": (
        ("UNCLASSIFIED",),
        ("PROTECTED A",),
        ("CONFIDENTIAL", "PROTECTED B"),
        ("SECRET", "PROTECTED C"),
        ("TOP SECRET",),
    ),
    "ITA": (("NON CLASSIFICATO",), ("USO UFFICIALE",), ("RISERVATO",), ("SEGRETO",), ("SEGRETISSIMO",)),
    "ESP": (("NO CLASIFICADO",), ("DIFUSIÓN LIMITADA",), ("CONFIDENCIAL",), ("SECRETO",), ("ALTO SECRETO",)),
    "POL": (("NIEJAWNE",), ("UŻYTEK SŁUŻBOWY",), ("POUFNE", "ZASTRZEŻONE"), ("TAJNE",), ("ŚCIŚLE TAJNE",)),
    "NLD": (
        ("NIET-GERUBRICEERD",),
        ("DEPARTEMENTAAL VERTROUWELIJK",),
        ("VERTROUWELIJK",),
        ("GEHEIM",),
        ("ZEER GEHEIM",),
    ),
    "NOR": (("OFFENTLIG",), ("BEGRENSET",), ("KONFIDENSIELT",), ("HEMMELIG",), ("STRENGT HEMMELIG",)),
    "DNK": (("OFFENTLIG",), ("BEGRÆNSET",), ("FORTROLIGT",), ("HEMMELIGT",), ("YDERST HEMMELIGT",)),
    "SWE": (("OFFENTLIG",), ("BEGRÄNSAD",), ("HEMLIG",), ("HEMLIG",), ("KVALIFICERAT HEMLIG",)),
    "TUR": (("GİZLİLİK DERECESİ YOK",), ("HİZMETE ÖZEL",), ("ÖZEL",), ("GİZLİ",), ("ÇOK GİZLİ",)),
}


def national(country: str, level: str) -> str:
    """Return what `country` writes on a document of this level; the standard name for a country without a row."""
    names = _NATIONAL.get(country)
    return names[LEVELS.index(level)][0] if names else level.replace("_", " ")


def nato(level: str) -> str:
    """Return NATO's name of a level."""
    return _NATO[LEVELS.index(level)]


def equivalency() -> list[dict[str, Any]]:
    """Return the five documents of `clearance_equivalency`."""
    return [
        {
            "_id": level,
            "standardLevel": level,
            "level": place,
            "natoEquivalent": _NATO[place],
            "nationalEquivalents": {country: list(names[place]) for country, names in _NATIONAL.items()},
        }
        for place, level in enumerate(LEVELS)
    ]
