"""Every refusal is on the page that explains them."""

import re

from dive_infra.config.paths import ROOT
from dive_infra.membership.refusals import MembershipError


def test_the_page_explains_exactly_the_refusals() -> None:
    page = (ROOT / "docs" / "reference" / "membership.md").read_text()
    table = page.partition("## Refusals")[2]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", table)) == {kind.__name__ for kind in MembershipError.__subclasses__()}
