"""The error codes: what each means, its cause and its remedy. `docs/reference/errors.md` is generated from this table.

The numbers are those of DIVE V3, so what people know about them stays true. `./dive explain 1301` prints a row.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import Literal

from dive_infra.results.errors import DiveError

# it passes by itself; an operator must decide or act; the next ./dive up fixes it
Kind = Literal["transient", "permanent", "recoverable"]

KINDS: dict[Kind, str] = {
    "transient": "it passes by itself: run the same command again",
    "permanent": "an operator must decide or act first",
    "recoverable": "the next `./dive up` fixes it",
}

GROUPS = {
    10: "Before a deployment",
    11: "What services depend on",
    12: "Containers",
    13: "Realm and federation",
    14: "Verification",
    15: "The deployment itself",
}


class Code(IntEnum):
    """An error code of DIVE V3. A reserved one keeps its number and is never reported."""

    HUB_NOT_FOUND = 1001
    HUB_UNHEALTHY = 1002
    NETWORK = 1003
    STATE_UNREADABLE = 1004
    SETTING = 1005
    SECRET_STORE_LOGIN = 1006
    CONFLICT = 1007
    CERTIFICATE = 1101
    SERVICE_FILES = 1102
    PULUMI = 1103
    CHANGE_FAILED = 1104
    DECLARATION_UNREADABLE = 1105
    LOCAL_FILE = 1106
    CONFIGURATION_FILE = 1107
    IMAGE = 1201
    CONTAINER = 1202
    ENGINE = 1203
    TIMEOUT = 1204
    VOLUME_OR_DISK = 1205
    PARALLEL_START = 1206
    ORPHANED = 1207
    FEDERATION_LINK = 1301
    NOT_APPROVED = 1302
    LINK_NOT_PROVEN = 1303
    LINK_SECRET = 1304
    REALM = 1305
    CLIENT_SECRET = 1306
    SCOPES = 1307
    POLICY_DISTRIBUTION = 1308
    LINK_PENDING = 1309
    AGREEMENT = 1310
    KEYCLOAK = 1401
    SEED_DATA = 1402
    LOGIN_REFUSED = 1403
    LOGIN_UNEXPECTED = 1404
    DECISION_OR_API = 1405
    DATABASE = 1406
    CHECK_UNKNOWN = 1501
    CHECK_LATE = 1502
    INTERRUPTED = 1503
    ROLLBACK = 1504
    RECORD_MISMATCH = 1505


@dataclass(frozen=True)
class CodeRow:
    """What a code means: `cause` and `remedy` are sentences for an operator, FRA stands for the country."""

    code: Code
    title: str
    kind: Kind
    cause: str
    remedy: str
    reserved: bool = False

    @property
    def number(self) -> int:
        return self.code.value

    @property
    def group(self) -> str:
        return GROUPS[self.number // 100]

    @property
    def anchor(self) -> str:
        """Return the link to its paragraph in the documentation."""
        return f"docs/reference/errors.md#{self.number}"


_ROWS = (
    CodeRow(
        Code.HUB_NOT_FOUND,
        "Hub not found",
        "permanent",
        "The coalition document cannot be read, or this stack has no keys or pins no coalition key.",
        "`./dive new FRA`, then the hub's document (`./dive up USA` writes it) and its key in `dive:coalitionKey`.",
    ),
    CodeRow(
        Code.HUB_UNHEALTHY,
        "Hub unhealthy",
        "transient",
        "The hub's backend or Keycloak does not answer, or answers with an error.",
        "See what is wrong with `./dive status USA`; `./dive up USA` fixes it.",
    ),
    CodeRow(
        Code.NETWORK,
        "Network missing, shared or cut off",
        "recoverable",
        "A network of the country or of one of its links does not exist on the engine, lacks a container of the "
        "country, belongs to another stack, has a foreign container on it, cannot be created because the engine's "
        "address ranges are used up, or passes no packets because the engine's firewall rules are gone.",
        "`./dive up FRA` creates it again and connects the containers; a finding about a foreign container names the "
        "command that takes it off; free an address range first if there is none; restart the engine with the named "
        "command if its firewall rules are gone: it installs them when it starts.",
    ),
    CodeRow(
        Code.STATE_UNREADABLE,
        "State unreadable",
        "permanent",
        "The stack's state cannot be read: the passphrase is missing or wrong, or the backend does not answer.",
        "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one that the stack was created with.",
    ),
    CodeRow(
        Code.SETTING,
        "Setting or secret refused",
        "permanent",
        "The stack file has an invalid key or value, or a secret that is too weak.",
        "Correct the named key: `pulumi config set dive:KEY VALUE -s fra`.",
    ),
    CodeRow(
        Code.SECRET_STORE_LOGIN,
        "Secret store refuses the login",
        "permanent",
        "Google Secret Manager did not accept the credentials of this machine.",
        "Log in again (`gcloud auth application-default login`) or set the secrets in Pulumi's configuration.",
        reserved=True,
    ),
    CodeRow(
        Code.CONFLICT,
        "Instance conflict",
        "permanent",
        "Another run is deploying the country, another stack has deployed it here, or a port is taken.",
        "Wait for the named holder, end the named program, or choose another port: "
        "`pulumi config set --path dive:ports.SERVICE PORT -s fra`.",
    ),
    CodeRow(
        Code.CERTIFICATE,
        "Certificate",
        "recoverable",
        "A service's certificate is not for its own names alone, or a certificate is valid for fewer than 30 days.",
        "`./dive up FRA` issues it again; services use it after their next start.",
    ),
    CodeRow(
        Code.SERVICE_FILES,
        "Files of a service",
        "recoverable",
        "Files in /etc/dive of a container differ from those that were written: certificate, key or configuration.",
        "`./dive up FRA` writes them again and restarts only that service, if it does not read them again by itself.",
    ),
    CodeRow(
        Code.PULUMI,
        "Pulumi not ready",
        "permanent",
        "Pulumi, its language host or one of its plugins is missing or has an unsupported version.",
        "`./dive env` installs or builds what is missing.",
    ),
    CodeRow(
        Code.CHANGE_FAILED,
        "A change failed",
        "recoverable",
        "`pulumi up` could not make a change; its message names the resource and the cause.",
        "Fix the named cause, then run `./dive up FRA`: what is done is kept.",
    ),
    CodeRow(
        Code.DECLARATION_UNREADABLE,
        "Declaration unreadable",
        "recoverable",
        "The declaration of a phase was written by another version of this program, and this one cannot read it.",
        "`./dive up FRA` declares and proves the phase again.",
    ),
    CodeRow(
        Code.LOCAL_FILE,
        "File on this machine",
        "recoverable",
        "A file that the deployment writes on this machine, such as the verification report, is missing or differs.",
        "`./dive up FRA` writes it again.",
    ),
    CodeRow(
        Code.CONFIGURATION_FILE,
        "Configuration not generated",
        "recoverable",
        "A service's configuration file could not be generated.",
        "`./dive up FRA`.",
        reserved=True,
    ),
    CodeRow(
        Code.IMAGE,
        "Image missing",
        "recoverable",
        "An image that a container needs is not on the engine.",
        "`./dive up FRA` obtains or builds it.",
    ),
    CodeRow(
        Code.CONTAINER,
        "Container not as declared",
        "recoverable",
        "A container is missing, stopped or unhealthy, or was changed by hand.",
        "`./dive up FRA` starts or replaces only that container.",
    ),
    CodeRow(
        Code.ENGINE,
        "Docker engine",
        "permanent",
        "The Docker engine does not answer, publishes where no one reaches it, or has less than 4 GiB of memory.",
        "Start it (`./dive up` does so as root on Debian), name another one in dive:engine, set dive:address if it is "
        "on another machine, or give it more memory.",
    ),
    CodeRow(
        Code.TIMEOUT,
        "Not ready in time",
        "transient",
        "Something did not answer within its time limit.",
        "Check again in a moment: `./dive status FRA`; if it persists, run `./dive up FRA`.",
    ),
    CodeRow(
        Code.VOLUME_OR_DISK,
        "Volume or disk",
        "permanent",
        "A data volume is missing or belongs to another stack, or the disk of the engine is nearly full.",
        "`./dive up FRA` says how to restore the data or accept its loss; free space on the named disk.",
    ),
    CodeRow(
        Code.PARALLEL_START,
        "Containers not started together",
        "recoverable",
        "Starting several services at once failed.",
        "`./dive up FRA`.",
        reserved=True,
    ),
    CodeRow(
        Code.ORPHANED,
        "Orphaned objects",
        "recoverable",
        "An object on the engine carries the mark of this stack but is no longer declared.",
        "Remove it with the command that the finding names.",
    ),
    CodeRow(
        Code.FEDERATION_LINK,
        "Federation link",
        "recoverable",
        "An identity provider or a partner's client is missing, or is not as declared, in a realm.",
        "`./dive up FRA` refreshes by itself and configures the country's side of the link again.",
    ),
    CodeRow(
        Code.NOT_APPROVED,
        "Not approved by the hub",
        "permanent",
        "The hub has not approved the country, which is not in `dive:spokes`, or has cut it off; a country that has no "
        "policies of the hub yet permits nothing until then.",
        "Add FRA to `dive:spokes` in Pulumi.usa.yaml, then run `./dive up USA FRA`; `./dive cut FRA --at USA --undo` "
        "takes a cut back.",
    ),
    CodeRow(
        Code.LINK_NOT_PROVEN,
        "Link never proven",
        "recoverable",
        "No login over the link has ever been recorded, or the last one failed.",
        "`./dive up FRA` proves it; `./dive doctor FRA` tries a login now.",
    ),
    CodeRow(
        Code.LINK_SECRET,
        "Link secret out of step",
        "recoverable",
        "The two sides of a link have different secrets. Links here have none: both sides authenticate with keys.",
        "`./dive up FRA`.",
        reserved=True,
    ),
    CodeRow(
        Code.REALM,
        "Realm not as declared",
        "recoverable",
        "The realm, one of its objects or one of its users is missing, extra, or was changed by hand.",
        "`./dive up FRA` refreshes and restores it.",
    ),
    CodeRow(
        Code.CLIENT_SECRET,
        "Client secret",
        "recoverable",
        "Keycloak refuses the secret of a client or of the administrator's account.",
        "`./dive up FRA`; for the account `dive-deployer` the command that the finding names; if it is missing, "
        "restore it in the realm master.",
    ),
    CodeRow(
        Code.SCOPES,
        "Scopes and mappers",
        "recoverable",
        "A client scope or one of its mappers is missing or was changed: tokens lack a claim.",
        "`./dive up FRA` refreshes and restores it.",
    ),
    CodeRow(
        Code.POLICY_DISTRIBUTION,
        "Policy distribution",
        "recoverable",
        "OPA decides by other policies or data than the hub distributes: its source does not run or is refused. Or "
        "what the hub answers is not signed with the key in the coalition document, or older than what the country "
        "has: then it is not taken, and OPA decides by what it has.",
        "`./dive restart FRA opa opal-client` (at the hub: `opa`) loads them again; `./dive up` starts their source. "
        "If the hub has rotated its keys, `./dive up FRA` with its new coalition document; otherwise ask its operator "
        "who answers there.",
    ),
    CodeRow(
        Code.LINK_PENDING,
        "Link pending",
        "recoverable",
        "The partner does not answer, cannot serve, has not declared its side of the link yet, or is out of reach of "
        "this country's containers. This country has not failed. A spoke whose hub has never answered has no policies "
        "yet, and permits nothing until then.",
        "`./dive up FRA` proves the link once the partner is deployed and answers.",
    ),
    CodeRow(
        Code.AGREEMENT,
        "Agreement ends or has ended",
        "permanent",
        "The agreement on a country's people ends within 30 days, or has ended: then its partners refuse its people, "
        "and everything else works on.",
        "Agree on a new end, set `dive:agreements` in Pulumi.usa.yaml, run `./dive up USA`, and update each spoke with "
        "the new document.",
    ),
    CodeRow(
        Code.KEYCLOAK,
        "Keycloak does not answer",
        "recoverable",
        "The issuer's discovery document could not be read.",
        "`./dive up FRA` starts Keycloak.",
    ),
    CodeRow(
        Code.SEED_DATA,
        "Seeded data",
        "recoverable",
        "A batch of seeded data, or a single document of it, is missing, altered or extra.",
        "`./dive up FRA` restores the batch and keeps documents that people created.",
    ),
    CodeRow(
        Code.LOGIN_REFUSED,
        "Login refused",
        "recoverable",
        "A test user could not log in, or no login form was shown; the message names the step and the host.",
        "`./dive up FRA`; it also lifts the lock that a realm puts on a user after several wrong passwords.",
    ),
    CodeRow(
        Code.LOGIN_UNEXPECTED,
        "Federated login not as expected",
        "recoverable",
        "A login had other claims, another path or another issuer than declared, or starts in another way.",
        "`./dive up FRA` refreshes realm and link; `./dive restart FRA frontend` if the portal sends people elsewhere.",
    ),
    CodeRow(
        Code.DECISION_OR_API,
        "Decision or API",
        "recoverable",
        "A policy decision or the answer of an API differs from the expected one.",
        "`./dive up FRA`, or the restart that the finding names; if a decision differs, check `policies/`.",
    ),
    CodeRow(
        Code.DATABASE,
        "Database",
        "recoverable",
        "A database does not answer, refuses its user, has another schema, or holds users, rights or settings that are "
        "not declared.",
        "`./dive up FRA`; for what someone added or changed by hand, the command that the finding names.",
    ),
    CodeRow(
        Code.CHECK_UNKNOWN,
        "Could not be checked",
        "transient",
        "A check could not decide; its message says why.",
        "Fix what the message names and check again: `./dive doctor FRA`.",
    ),
    CodeRow(
        Code.CHECK_LATE,
        "A check took too long",
        "transient",
        "A check did not end within its time limit; the machine may be busy.",
        "Check again: `./dive doctor FRA`.",
    ),
    CodeRow(
        Code.INTERRUPTED,
        "Interrupted",
        "recoverable",
        "A deployment did not finish: Ctrl+C, a kill, a power loss. It may have left Pulumi's lock or pending "
        "operations.",
        "`./dive up FRA` continues; if Pulumi reports that the stack is locked, run `pulumi cancel -s fra` first.",
    ),
    CodeRow(
        Code.ROLLBACK,
        "Rollback failed",
        "permanent",
        "A change could not be undone.",
        "`./dive doctor FRA` shows what exists.",
        reserved=True,
    ),
    CodeRow(
        Code.RECORD_MISMATCH,
        "Record and reality disagree",
        "recoverable",
        "The orchestration database disagrees with the stack's state: a phase is complete in one and not in the other.",
        "`./dive up FRA` proves the phase and records it again.",
    ),
)
CODES: dict[Code, CodeRow] = {row.code: row for row in _ROWS}


class UnknownCode(DiveError, ValueError):
    """A text that is not the number of an error code."""


def code_of(text: str) -> Code | None:
    """Return the code with this number; None if it is no code."""
    numbers = {str(code.value): code for code in Code}
    return numbers.get(text)


def find(text: str) -> CodeRow:
    """Return the row of a number; raise `UnknownCode`, naming the nearest ones."""
    code = code_of(text)
    if code:
        return CODES[code]
    near = get_close_matches(text, [str(code.value) for code in Code], n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise UnknownCode(f"error code {text!r} is not known: expected one of {min(Code)} to {max(Code)}{hint}")


def page() -> str:
    """Return the text of `docs/reference/errors.md`."""
    lines = [
        "# Error codes",
        "",
        "Findings of `./dive status` and `./dive doctor` carry one of these numbers; `./dive explain 1301` prints one.",
        "`./dive explain --page` generates this page from `dive_infra/results/codes.py`. FRA stands for the country.",
        "",
        *(f"- **{kind}**: {meaning}" for kind, meaning in KINDS.items()),
    ]
    for number, title in GROUPS.items():
        lines += ["", f"## {title}"]
        for row in (r for r in CODES.values() if r.number // 100 == number):
            lines += ["", f'<a id="{row.number}"></a>', f"### {row.number} {row.title}", ""]
            kept = " Reserved: a number of DIVE V3 that this program never reports." if row.reserved else ""
            lines += [f"*{row.kind}*.{kept} {row.cause}", "", f"Remedy: {row.remedy}"]
    return "\n".join(lines) + "\n"
