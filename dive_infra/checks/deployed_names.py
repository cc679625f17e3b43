"""A country keeps its names while it is deployed: they are in its volumes, certificates, tokens and at its partners.

Everything would have to be replaced, data included, and an update would stop in the middle.
"""

from dive_infra.checks.runner import CheckFailed
from dive_infra.config.naming import Names
from dive_infra.results.codes import Code
from dive_infra.results.remedy import UP, Remedy


def keep(deployed: Names, wanted: Names) -> None:
    """Raise `CheckFailed` with both values if the settings name the country otherwise than it is deployed."""
    code, stack = deployed.country.code, deployed.country.lower
    there, here = _values(deployed), _values(wanted)
    for key, value in there.items():
        if here[key] != value:
            is_default = key == "domain" and not deployed.domain
            back = f"rm dive:{key}" if is_default else f"set dive:{key} {value}"
            raise CheckFailed(
                f"dive:{key} is {here[key]}",
                f"{value}, as {code} is deployed",
                Remedy.decide(
                    f"pulumi config {back} -s {stack}, then: {UP}",
                    f"to give up its data and deploy it as {here[key]}: ./dive nuke {code}, then: {UP}",
                    country=code,
                ),
                Code.SETTING,
            )


def _values(names: Names) -> dict[str, str]:
    """Return the values by setting; an unset domain counts as the one that follows from the namespace."""
    domain = names.zone.removeprefix(f"{names.country.lower}.")
    return {"namespace": names.namespace, "domain": domain}
