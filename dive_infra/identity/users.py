"""People that a country declares: six test users, and a probe person for each partner; compared and restored.

Their ids derive from country and name. Therefore a recreated realm has the same users, and no partner's link to them
is orphaned. Keycloak keeps a given id only in a partial import.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from dive_infra.config.clearances import LEVELS
from dive_infra.config.countries import Country
from dive_infra.config.naming import Names
from dive_infra.identity.keycloak_admin import KeycloakAdmin, NotFound
from dive_infra.identity.realm_data import Json
from dive_infra.process.probe_cache import PROBES
from dive_infra.results.codes import Code
from dive_infra.results.finding import Finding, Verdict
from dive_infra.results.remedy import Remedy

# Frozen: another namespace would give other ids.
NAMESPACE = uuid5(NAMESPACE_URL, "https://dive.example/users")
MADE_BY = "dive-seed"
_AT_ONCE = 5000  # milliseconds between a user and its password in one import

_PSEUDONYMS = ("Coral Tide", "Marina Reef", "Kai Current", "Nerida Shore", "Dylan Wave", "Morgan Ocean")
_COI: dict[int, tuple[str, ...]] = {4: ("NATO",), 5: ("NATO", "FVEY")}


@dataclass(frozen=True)
class User:
    """A declared person; `group` carries the role, `coi` the communities of interest, `kind` is for messages."""

    username: str
    country: str
    clearance: str
    pseudonym: str
    email: str
    organization: str
    coi: tuple[str, ...] = ()
    group: str = "users"
    kind: str = "test user"

    @property
    def id(self) -> str:
        return str(uuid5(NAMESPACE, f"{self.country}/{self.username}"))

    @property
    def attributes(self) -> dict[str, list[str]]:
        found = {
            "uniqueID": [self.username],
            "clearance": [self.clearance],
            "clearance_level": [str(LEVELS.index(self.clearance) + 1)],
            "countryOfAffiliation": [self.country],
            "acpCOI": list(self.coi),
            "organization": [self.organization],
            "organizationType": ["MIL"],
            "userType": ["military"],
            "created_by": [MADE_BY],
        }
        return {name: values for name, values in found.items() if values}

    @property
    def representation(self) -> Json:
        first, last = self.pseudonym.split()
        return {
            "id": self.id,
            "username": self.username,
            "email": self.email,
            "emailVerified": True,
            "enabled": True,
            "firstName": first,
            "lastName": last,
            "requiredActions": [],
            "attributes": self.attributes,
        }


def wanted(names: Names) -> list[User]:
    """Return `testuser-<c>-1` to `-5`, one for each clearance, and `admin-<c>`."""
    code, lower = names.country.code, names.country.lower

    def user(username: str, number: int, clearance: str, coi: tuple[str, ...], group: str) -> User:
        email, organization = f"{username}@{names.zone}", f"{names.country.name} Armed Forces"
        return User(username, code, clearance, _PSEUDONYMS[number - 1], email, organization, coi, group)

    ordinary = [
        user(f"testuser-{lower}-{number}", number, clearance, _COI.get(number, ()), "users")
        for number, clearance in enumerate(LEVELS, start=1)
    ]
    return [*ordinary, user(f"admin-{lower}", 6, LEVELS[-1], ("NATO", "FVEY"), "super_admins")]


def probe(names: Names, partner: Country) -> User:
    """Return the person whom the country issues to a partner, to prove their link; for the own country, its own.

    It represents no one, and has the lowest clearance and no community.
    """
    username = f"probe-{names.country.lower}-{partner.lower}"
    return User(
        username,
        names.country.code,
        LEVELS[0],
        "Link Probe",
        f"{username}@{names.zone}",
        f"{names.country.name} Armed Forces",
        kind="probe person",
    )


def differences(admin: KeycloakAdmin, realm: str, user: User) -> dict[str, tuple[object, object]]:
    """Return field -> (wanted, found) of what differs. A missing user is `{"user": ...}`."""
    path = f"/realms/{realm}/users/{user.id}"
    try:
        found = admin.get(path)
    except NotFound:
        return {"user": (user.username, "missing")}
    off = {k: (v, found.get(k)) for k, v in user.representation.items() if k != "attributes" and found.get(k) != v}
    live = {k: sorted(v) for k, v in (found.get("attributes") or {}).items()}
    asked = {k: sorted(v) for k, v in user.attributes.items()}
    off |= {k: (asked.get(k), live.get(k)) for k in sorted({*asked, *live}) if asked.get(k) != live.get(k)}
    groups = sorted(g["name"] for g in admin.get(f"{path}/groups"))
    if groups != [user.group]:
        off["groups"] = ([user.group], groups)
    if wrong := _password(found["createdTimestamp"], admin.get(f"{path}/credentials")):
        off["password"] = ("the one that was seeded", wrong)
    return off


def _password(made: int, credentials: list[Json]) -> str:
    """Return what is wrong with a password. It cannot be read, but it was set together with the user."""
    set_at = [int(str(c.get("createdDate") or made)) for c in credentials if c["type"] == "password"]
    if not set_at:
        return "none"
    later = max(set_at) - made
    return f"one that was set {later / 1000:.0f} s after the user was created" if later > _AT_ONCE else ""


def lockout(admin: KeycloakAdmin, names: Names, user: User) -> str:
    """Return why the realm refuses every password of the user for some minutes; empty unless it does."""
    found = admin.get(_guesses(names, user))
    if not found["disabled"]:
        return ""
    return f"locked out after {found['numFailures']} wrong passwords, the last from {found['lastIPFailure']}"


def unlock(admin: KeycloakAdmin, names: Names, user: User) -> None:
    """Let the realm forget the wrong passwords that were given for the user."""
    admin.delete(_guesses(names, user))


def _guesses(names: Names, user: User) -> str:
    return f"/realms/{names.realm}/attack-detection/brute-force/users/{user.id}"


def compare_users(admin: KeycloakAdmin, names: Names, people: Sequence[User]) -> list[Finding]:
    """Return one finding for each person."""
    return PROBES.get(
        ("users", names.realm, *(user.username for user in people)),
        lambda: [_finding(user, differences(admin, names.realm, user)) for user in people],
    )


def _finding(user: User, off: dict[str, tuple[object, object]]) -> Finding:
    check = f"{user.kind} {user.username} is as seeded"
    if not off:
        return Finding(check, Verdict.VALID)
    expected = "; ".join(f"{k}: {a}" for k, (a, _) in off.items())
    found = "; ".join(f"{k}: {b}" for k, (_, b) in off.items())
    remedy, subject = Remedy.update(), f"{user.kind} {user.username}"
    return Finding(check, Verdict.INVALID, expected, found, remedy, code=Code.REALM, subject=subject)


def repair(
    admin: KeycloakAdmin, names: Names, passwords: Mapping[User, str], reset: Collection[User] = ()
) -> dict[str, list[str]]:
    """Restore what differs and touch nothing else; return user name -> repaired properties (none: it was created).

    Those in `reset` get their password again. To set a password, the user is recreated under the same id: the password
    history of the policy refuses the present and earlier passwords.
    """
    done: dict[str, list[str]] = {}
    for user, password in passwords.items():
        off = differences(admin, names.realm, user)
        if user in reset or off.keys() & {"user", "password"}:
            _import(admin, names.realm, user, password)
            done[user.username] = []
            continue
        path = f"/realms/{names.realm}/users/{user.id}"
        if off.keys() - {"groups"}:
            admin.put(path, user.representation)
        if "groups" in off:
            _regroup(admin, names.realm, path, user.group)
        if off:
            done[user.username] = sorted(off)
    return done


def remove(admin: KeycloakAdmin, names: Names, people: Collection[User]) -> None:
    """Delete these people; a missing one is no error."""
    for user in people:
        _delete(admin, f"/realms/{names.realm}/users/{user.id}")


def _import(admin: KeycloakAdmin, realm: str, user: User, password: str) -> None:
    # An account that holds the name, ours of old or another's, would make the import fail.
    for other in admin.get(f"/realms/{realm}/users", exact=True, username=user.username):
        _delete(admin, f"/realms/{realm}/users/{other['id']}")
    credential = {"type": "password", "value": password, "temporary": False}
    whole = {**user.representation, "groups": [f"/{user.group}"], "credentials": [credential]}
    admin.post(f"/realms/{realm}/partialImport", {"ifResourceExists": "FAIL", "users": [whole]})


def _regroup(admin: KeycloakAdmin, realm: str, path: str, group: str) -> None:
    for member in admin.get(f"{path}/groups"):
        if member["name"] != group:
            admin.delete(f"{path}/groups/{member['id']}")
    for found in admin.get(f"/realms/{realm}/groups", search=group, exact=True):
        admin.put(f"{path}/groups/{found['id']}")
        return
    raise NotFound(f"group {group!r} is missing in realm {realm}", Remedy.refresh())


def _delete(admin: KeycloakAdmin, path: str) -> None:
    try:
        admin.delete(path)
    except NotFound:
        return
