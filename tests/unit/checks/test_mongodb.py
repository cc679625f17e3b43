"""What a MongoDB holds beside its declaration, from its answers."""

from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from pymongo.errors import OperationFailure

from dive_infra.checks import mongodb, objects
from dive_infra.checks.mongodb import COLLECTIONS, MongoContent
from dive_infra.results.finding import Verdict
from dive_infra.seeds.batches import batches
from tests.unit.checks.specs import FRANCE, USA

DATABASE = FRANCE.mongo_database
DECLARED = MongoContent(
    {"admin.root": ("admin.root",)},
    [],
    ["admin", "config", "local", DATABASE],
    {(DATABASE, name): {} for name in COLLECTIONS},
    {(name, "_id_"): '{"_id": 1}' for name in COLLECTIONS},
)
FERRETDB = replace(DECLARED, users={"admin.root": ()}, roles=None, databases=["admin", DATABASE])


def test_every_collection_that_is_seeded_is_declared() -> None:
    seeded = {batch.collection for batch in batches(FRANCE, (USA,), "PEM", 1)}
    assert seeded < COLLECTIONS


@pytest.mark.parametrize("live", [DECLARED, FERRETDB, MongoContent({"admin.root": ("admin.root",)}, [], ["admin"])])
def test_what_is_declared_is_valid_also_before_it_is_seeded(live: MongoContent) -> None:
    assert list(mongodb.differences(live, DATABASE)) == []


@pytest.mark.parametrize(
    ("changed", "subject", "removal"),
    [
        (
            {"users": {"admin.root": ("admin.root",), "x.back.door": ()}},
            "user x.back.door",
            'client["x"].command("dropUser", "back.door")',
        ),
        (
            {"users": {"admin.root": ("admin.backup", "admin.root")}},
            "user admin.root",
            'client["admin"].command("updateUser", "root", roles=["root"])',
        ),
        ({"roles": ["admin.reader"]}, "role admin.reader", 'client["admin"].command("dropRole", "reader")'),
        ({"databases": ["admin", "more"]}, "database more", 'client.drop_database("more")'),
        (
            {"collections": {("admin", "notes"): {}}},
            "collection admin.notes",
            'client["admin"].drop_collection("notes")',
        ),
        (
            {"collections": {(DATABASE, 'of "x"'): {"type": "view"}}},
            f'collection {DATABASE}.of "x"',
            f'client["{DATABASE}"].drop_collection("of \\"x\\"")',
        ),
        (
            {"collections": {(DATABASE, "resources"): {"capped": True}}},
            "options of collection resources",
            f'client["{DATABASE}"].drop_collection("resources")',
        ),
        (
            {"indexes": {("resources", "title_1"): '{"title": 1}'}},
            "index title_1 of resources",
            f'client["{DATABASE}"]["resources"].drop_index("title_1")',
        ),
    ],
)
def test_what_someone_added_or_changed_is_a_difference_with_the_statement_that_removes_it(
    changed: dict[str, Any], subject: str, removal: str
) -> None:
    [off] = mongodb.differences(replace(DECLARED, **changed), DATABASE)
    assert (off.subject, off.removal) == (subject, removal)
    compile(off.removal, "removal", "exec")


def test_the_command_of_a_finding_runs_in_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Mock()
    engine.command_in.side_effect = lambda name, script: f"{name}: {script}"
    monkeypatch.setattr(objects, "connect", lambda: engine)
    monkeypatch.setattr(mongodb, "login", MagicMock())
    capped = replace(DECLARED, databases=["more"], collections={(DATABASE, "decisions"): {"capped": True}})
    monkeypatch.setattr(mongodb, "content", lambda client, database: capped)
    more, options = mongodb.holds(FRANCE, "", "")
    assert (more.verdict, more.expected, more.found) == (Verdict.INVALID, "none", "not declared")
    assert str(more.remedy).startswith("t-unit-fra-backend: python -c 'from dive_common")
    assert str(more.remedy).endswith('client.drop_database("more")\'')
    assert str(options.remedy).endswith(", then: pulumi up")


def test_what_is_left_out_makes_no_difference() -> None:
    """Of a user the roles are compared, of a server no parameter; `system.` collections are the server's own."""
    root = {"db": "admin", "user": "root", "roles": [{"db": "admin", "role": "root"}]}
    more = {"mechanisms": ["SCRAM-SHA-1"], "authenticationRestrictions": [{"clientSource": ["0.0.0.0/0"]}]}
    collections = [{"name": "system.version", "type": "collection", "options": {}}]
    answers = []
    for user, held in ((root, []), ({**root, **more}, collections)):
        client = MagicMock()
        client["admin"].command.side_effect = [{"users": [user]}, {"roles": []}]
        client["admin"].__getitem__.return_value.find.return_value = []
        client["admin"].list_collections.return_value = held
        client.list_database_names.return_value = ["admin"]
        answers.append(mongodb.content(client, DATABASE))
        asked = [call.args[0] for call in client["admin"].command.call_args_list]
        assert asked == ["usersInfo", "rolesInfo"], "no parameter is asked for"
    assert answers[0] == answers[1] == MongoContent({"admin.root": ("admin.root",)}, [], ["admin"])


@pytest.mark.parametrize("code", [59, 115, 238])
def test_a_server_without_roles_is_read_without_them(code: int) -> None:
    client = MagicMock()
    client["admin"].command.side_effect = [{"users": []}, OperationFailure("no such command: 'rolesInfo'", code)]
    client.list_database_names.return_value = []
    assert mongodb.content(client, DATABASE) == MongoContent({}, None, [])


def test_any_other_refusal_is_no_answer() -> None:
    client = MagicMock()
    client["admin"].command.side_effect = OperationFailure("not authorized", 13)
    with pytest.raises(OperationFailure):
        mongodb.content(client, DATABASE)


def test_a_valid_finding_says_what_the_server_does_not_support(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongodb, "login", MagicMock())
    monkeypatch.setattr(mongodb, "content", lambda client, database: FERRETDB)
    [valid] = mongodb.holds(FRANCE, "", "")
    assert (valid.verdict, valid.found) == (Verdict.VALID, "1 user, roles not supported, 11 collections")
