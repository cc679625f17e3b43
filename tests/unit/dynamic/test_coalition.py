"""The coalition document as it is issued, renewed and restored, and the one that a spoke has accepted."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dive_infra.config import paths
from dive_infra.config.countries import COUNTRIES, HUB, HUB_CODE
from dive_infra.config.naming import Names
from dive_infra.dynamic import coalition
from dive_infra.dynamic.base import ProviderError
from dive_infra.dynamic.coalition import CoalitionDocumentProvider, MemberAuthorityProvider, MembershipProvider
from dive_infra.membership import authority, document, files, keys, request
from dive_infra.membership.canonical import canonical
from dive_infra.membership.document import Agreement, Coalition, Seen
from dive_infra.membership.refusals import BadSignature, Source
from dive_infra.results.remedy import NO_REMEDY
from dive_infra.results.text import now
from tests.support import members

USA, FRA, DEU = Names(HUB), Names(COUNTRIES["FRA"]), Names(COUNTRIES["DEU"])
DOCUMENT, AUTHORITY, MEMBERSHIP = CoalitionDocumentProvider(), MemberAuthorityProvider(), MembershipProvider()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "STACKS", tmp_path)
    return tmp_path


def certified(names: Names) -> str:
    return str(AUTHORITY.create_resource(asking(names))[1]["certificate"])


def asking(names: Names) -> dict[str, Any]:
    """Return the inputs of the CA of a country whose request is filed."""
    asked = request.read(files.content(names.country.code), request.file_name(names.country.code))
    given = {"country": asked.country, "zone": asked.zone, "signing_request": asked.signing_request}
    given |= {"address": asked.address} if asked.address else {}
    return {**given, "root_chain": members.ROOT.chain, "root_key": members.ROOT.key}


def inputs(*countries: Names) -> dict[str, Any]:
    for names in countries:
        members.write_request(paths.STACKS, names)
    return {
        "namespace": "dive",
        "authority": members.ROOT.chain,
        "requests": {names.country.code: files.content(names.country.code).decode() for names in countries},
        "certificates": {names.country.code: certified(names) for names in countries},
        "coalition_key": members.private_keys(HUB_CODE)["coalition-key"],
    }


def published() -> Coalition:
    """Return the document as a spoke reads it."""
    return document.read(files.document_file().read_bytes(), members.coalition_key(), "dive", now())


def test_a_members_ca_is_certified_for_its_own_key_and_zone_alone() -> None:
    members.write_request(paths.STACKS, FRA)
    authority.check_certificate(certified(FRA), "FRA", FRA.zone, [members.ROOT.chain], Source("x", NO_REMEDY))
    before = {"certificate": certified(FRA)}
    assert AUTHORITY.drift_reason(before) is None
    old = authority.certificate_for(
        request.read(files.content("FRA"), "fra.json").signing_request,
        "FRA",
        FRA.zone,
        30,
        document_root(),
    )
    assert re.match(
        r"expires in (29|30) days; renewed 60 days before", str(AUTHORITY.drift_reason({"certificate": old}))
    )


def test_a_members_ca_is_certified_again_for_another_address_and_for_none() -> None:
    there = replace(FRA, address="192.0.2.7")
    members.write_request(paths.STACKS, FRA)
    before = asking(FRA)
    members.write_request(paths.STACKS, there)
    after = asking(there)
    source = Source("x", NO_REMEDY)
    authority.check_certificate(certified(there), "FRA", FRA.zone, [members.ROOT.chain], source, "192.0.2.7")
    kept = {"certificate": certified(FRA)}
    assert AUTHORITY.diff("FRA", before | kept, after).changes
    assert AUTHORITY.diff("FRA", after | kept, before).changes
    assert not AUTHORITY.diff("FRA", after | kept, after).changes


def document_root() -> Any:
    return coalition.pki.Issuer(members.ROOT.chain, members.ROOT.key)


def test_the_document_is_written_for_spokes_and_each_later_one_is_newer() -> None:
    first_inputs = inputs(USA, FRA)
    first = DOCUMENT.create_resource(first_inputs)[1]
    assert files.document_file().read_text() == first["text"]
    assert published().members.keys() == {"USA", "FRA"}
    second = DOCUMENT.update_resource(inputs(USA, FRA, DEU), {**first_inputs, **first})
    assert second["serial"] > first["serial"], "also within one second"
    assert published().members.keys() == {"USA", "FRA", "DEU"}
    left = DOCUMENT.update_resource(inputs(USA), {**first_inputs, **second})
    assert published().members.keys() == {"USA"}
    assert left["serial"] > second["serial"]


def test_while_its_key_is_replaced_a_document_is_accepted_by_either(folder: Path) -> None:
    successor = keys.new_signing_key()
    before = inputs(USA, FRA)
    first = DOCUMENT.create_resource(before)[1]
    begun = {**before, "coalition_key": before["coalition_key"] + successor}
    assert DOCUMENT.diff("dive", {**before, **first}, begun).changes
    second = DOCUMENT.update_resource(begun, {**before, **first})
    content = files.document_file().read_bytes()
    pins = [members.coalition_key(), keys.public_text(successor)]
    assert [document.read(content, pin, "dive", now()).serial for pin in pins] == [second["serial"]] * 2
    DOCUMENT.update_resource({**before, "coalition_key": successor}, {**begun, **second})
    with pytest.raises(BadSignature):
        published()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda path: path.unlink(), "coalition.json does not exist"),
        (lambda path: path.write_text(path.read_text().replace("FRA", "FRB")), "is not the document that was issued"),
    ],
    ids=["deleted", "edited"],
)
def test_a_document_that_someone_deletes_or_edits_is_issued_again(harm: Any, says: str) -> None:
    given = inputs(USA, FRA)
    before = {**given, **DOCUMENT.create_resource(given)[1]}
    assert DOCUMENT.drift_reason(before) is None
    harm(files.document_file())
    assert says in str(DOCUMENT.drift_reason(before))
    after = DOCUMENT.update_resource(given, before)
    assert published().serial == after["serial"] > before["serial"]


def test_a_document_is_renewed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    given = inputs(USA, FRA)
    before = {**given, **DOCUMENT.create_resource(given)[1]}
    monkeypatch.setattr(coalition, "now", lambda: now() + timedelta(days=61))
    assert "renewed 120 days before" in str(DOCUMENT.drift_reason(before))


def test_a_document_has_the_agreements_that_are_stated_and_another_one_is_issued_when_they_change() -> None:
    given = inputs(USA, FRA)
    before = {**given, **DOCUMENT.create_resource(given)[1]}
    stated = Agreement(clearance="SECRET", communities=("NATO",), assurance=2, expires=now().replace(microsecond=0))
    news = {**given, "agreements": {"FRA": canonical(stated.plain()).decode()}}
    assert DOCUMENT.changed_inputs(before, given) == [], "as in the states of an earlier program"
    assert DOCUMENT.changed_inputs(before, news) == ["agreements"]
    after = {**news, **DOCUMENT.update_resource(news, before)}
    assert {code: one.agreement for code, one in published().members.items()} == {"USA": Agreement(), "FRA": stated}
    assert after["serial"] > before["serial"]
    assert DOCUMENT.changed_inputs(after, news) == []
    assert DOCUMENT.changed_inputs(after, given) == ["agreements"], "it was withdrawn"
    DOCUMENT.update_resource(given, after)
    assert not published().members["FRA"].agreement.limits


def seen(found: Coalition) -> Mapping[str, Any]:
    known = Seen.of(found)
    return {"country": "FRA", "serial": float(known.serial), "digest": known.digest}


def test_a_spoke_takes_a_newer_document_and_refuses_an_older_or_a_second_one() -> None:
    given = inputs(USA, FRA)
    first = DOCUMENT.create_resource(given)[1]
    old = seen(published())
    DOCUMENT.update_resource(given, {**given, **first})
    new = seen(published())
    assert MEMBERSHIP.diff("FRA", dict(old), dict(new)).changes
    assert not MEMBERSHIP.diff("FRA", dict(new), dict(new)).changes
    with pytest.raises(ProviderError, match="older than the last one that was accepted"):
        MEMBERSHIP.diff("FRA", dict(new), dict(old))
    with pytest.raises(ProviderError, match="is another document with the serial"):
        MEMBERSHIP.diff("FRA", dict(new), {**new, "digest": "0" * 64})


def test_during_a_rotation_the_document_has_both_cas_and_never_another_one_alone() -> None:
    given = inputs(USA, FRA)
    first = DOCUMENT.create_resource(given)[1]
    fresh = coalition.pki.issue("DIVE coalition dive 2", 30, authority=True).chain
    begun = {**given, "authority": members.ROOT.chain + fresh}
    second = DOCUMENT.update_resource(begun, {**given, **first})
    assert published().authorities == (members.ROOT.chain, fresh)
    with pytest.raises(ProviderError, match="every connection in the coalition would be refused"):
        DOCUMENT.update_resource({**given, "authority": fresh}, {**given, **first})
    assert published().serial == second["serial"], "nothing was written"
