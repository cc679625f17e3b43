"""Prints the countries that have a stack file, for a workflow's matrix, as lines for `$GITHUB_OUTPUT`.

all=["USA", "FRA"]
spokes=["FRA"]
"""

import json
from pathlib import Path

HUB = "USA"


def countries(root: Path) -> list[str]:
    """Return the country codes, the hub first."""
    found = [path.name.split(".")[1].upper() for path in root.glob("Pulumi.*.yaml")]
    return sorted(found, key=lambda code: (code != HUB, code))


if __name__ == "__main__":
    codes = countries(Path())
    print(f"all={json.dumps(codes)}")
    print(f"spokes={json.dumps([code for code in codes if code != HUB])}")
