"""The error codes: what each means, its cause and its remedy. `docs/reference/errors.md` is made from this table.

The numbers are those of DIVE V3, so that what people know stays true. A finding carries one; `./dive explain 1301`
tells the row.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import Literal

from dive_infra.results.errors import DiveError

# time mends it; a person must decide or act; the next ./dive up mends it
Kind = Literal["transient", "permanent", "recoverable"]

KINDS: dict[Kind, str] = {
    "transient": "time mends it: the same command again",
    "permanent": "somebody must decide or act first",
    "recoverable": "the next `./dive up` mends it",
}

GROUPS = {
    10: "Before a deployment",
    11: "What services stand on",
    12: "Containers",
    13: "Realm and federation",
    14: "What is proven at the end",
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
    LEFTOVER = 1207
    FEDERATION_LINK = 1301
    NOT_APPROVED = 1302
    LINK_NOT_PROVEN = 1303
    LINK_SECRET = 1304
    REALM = 1305
    CLIENT_SECRET = 1306
    SCOPES = 1307
    POLICY_DISTRIBUTION = 1308
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
        "The stack of the hub is not deployed, or `dive:hub` names another one.",
        "Deploy the hub: `./dive up USA`; or correct `dive:hub` in Pulumi.fra.yaml.",
    ),
    CodeRow(
        Code.HUB_UNHEALTHY,
        "Hub unhealthy",
        "transient",
        "The hub's backend or Keycloak does not answer, or answers with an error.",
        "See what is wrong there with `./dive status USA`; `./dive up USA` mends it.",
    ),
    CodeRow(
        Code.NETWORK,
        "Network missing",
        "recoverable",
        "A network of the country is not on the engine, or carries the mark of another stack.",
        "`./dive up FRA` makes it again and connects the containers.",
    ),
    CodeRow(
        Code.STATE_UNREADABLE,
        "Secrets out of reach",
        "permanent",
        "The stack's state cannot be read: the passphrase is missing or another one, or the backend is out of reach.",
        "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one that the stack was made with.",
    ),
    CodeRow(
        Code.SETTING,
        "Setting or secret refused",
        "permanent",
        "The stack file holds a key or value that is not accepted, or a secret that is too weak.",
        "Correct the named key: `pulumi config set dive:KEY VALUE -s fra`.",
    ),
    CodeRow(
        Code.SECRET_STORE_LOGIN,
        "Secret store refuses the login",
        "permanent",
        "Google Secret Manager did not accept the credentials of this machine.",
        "Log in again (`gcloud auth application-default login`) or give the secrets by Pulumi's configuration.",
        reserved=True,
    ),
    CodeRow(
        Code.CONFLICT,
        "Instance conflict",
        "permanent",
        "Somebody else deploys the country now, another stack has deployed it here, or a port is taken.",
        "Wait for the named holder; or end the named program; or choose another port: "
        "`pulumi config set --path dive:ports.SERVICE PORT -s fra`.",
    ),
    CodeRow(
        Code.CERTIFICATE,
        "Certificate",
        "recoverable",
        "The country's certificate does not cover every name, or has fewer than 30 days left.",
        "`./dive up FRA` issues it anew; services take it with their next start.",
    ),
    CodeRow(
        Code.SERVICE_FILES,
        "Files of a service",
        "recoverable",
        "The files in /etc/dive of a container are not those that were written: certificate, key or configuration.",
        "`./dive up FRA` writes them again and restarts that service alone.",
    ),
    CodeRow(
        Code.PULUMI,
        "Pulumi not ready",
        "permanent",
        "Pulumi, its language host or one of its plugins is missing, or has a version that is not supported.",
        "`./dive env` installs or builds what is missing.",
    ),
    CodeRow(
        Code.CHANGE_FAILED,
        "A change failed",
        "recoverable",
        "`pulumi up` could not carry out a change; its message names resource and cause.",
        "Mend the named cause, then `./dive up FRA`: what is done is kept.",
    ),
    CodeRow(
        Code.DECLARATION_UNREADABLE,
        "Declaration unreadable",
        "recoverable",
        "What a phase declared was written by another version of this program and cannot be read by this one.",
        "`./dive up FRA` declares and proves the phase anew.",
    ),
    CodeRow(
        Code.LOCAL_FILE,
        "Folder or file of this machine",
        "recoverable",
        "A file that the deployment writes on this machine, such as the verification report, is missing or another's.",
        "`./dive up FRA` writes it anew.",
    ),
    CodeRow(
        Code.CONFIGURATION_FILE,
        "Configuration not generated",
        "recoverable",
        "A service's configuration file could not be made.",
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
        "A container is missing, stopped, unhealthy, or was edited by hand.",
        "`./dive up FRA` starts or replaces that container and touches no other.",
    ),
    CodeRow(
        Code.ENGINE,
        "What containers depend on",
        "permanent",
        "The Docker engine does not answer, is on another machine, or has less than 4 GiB of memory.",
        "Start it (`./dive up` does so as root on Debian), set DOCKER_HOST to its socket, or give it more memory.",
    ),
    CodeRow(
        Code.TIMEOUT,
        "Not ready in time",
        "transient",
        "Something did not answer within its limit of time.",
        "Look again in a moment: `./dive status FRA`; if it lasts, `./dive up FRA`.",
    ),
    CodeRow(
        Code.VOLUME_OR_DISK,
        "Volume or disk",
        "permanent",
        "A data volume is gone, is another stack's, or the disk of the engine is nearly full.",
        "`./dive up FRA` tells how to restore the data or to accept its loss; free space on the named disk.",
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
        Code.LEFTOVER,
        "Left over",
        "recoverable",
        "Something on the engine carries the mark of this stack and is not declared any more.",
        "Remove it by the command that the finding names.",
    ),
    CodeRow(
        Code.FEDERATION_LINK,
        "Federation link",
        "recoverable",
        "An identity provider or a partner's client is missing, or is not as declared, in a realm.",
        "`./dive up FRA` (it refreshes by itself) sets both sides of the link anew.",
    ),
    CodeRow(
        Code.NOT_APPROVED,
        "Not approved by the hub",
        "permanent",
        "The hub has not admitted the country: it does not stand in `dive:spokes`, or its role was taken away.",
        "Add FRA to `dive:spokes` in Pulumi.usa.yaml, then `./dive up USA FRA`.",
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
        "The two sides of a link hold different secrets. Links here share none: both sides prove themselves with keys.",
        "`./dive up FRA`.",
        reserved=True,
    ),
    CodeRow(
        Code.REALM,
        "Realm not as declared",
        "recoverable",
        "The realm, one of its objects or one of its users is missing, extra, or was changed by hand.",
        "`./dive up FRA` refreshes and brings it back.",
    ),
    CodeRow(
        Code.CLIENT_SECRET,
        "Client secret",
        "recoverable",
        "Keycloak refuses the secret of a client, or the administrator's account.",
        "`./dive up FRA`; where the account `dive-deployer` is gone, restore it in the realm master.",
    ),
    CodeRow(
        Code.SCOPES,
        "Scopes and mappers",
        "recoverable",
        "A client scope or one of its mappers is missing or was changed: tokens lack a claim.",
        "`./dive up FRA` refreshes and brings it back.",
    ),
    CodeRow(
        Code.POLICY_DISTRIBUTION,
        "Policy distribution",
        "recoverable",
        "The OPAL client or server does not run, or its token is refused: policy data gets old.",
        "`./dive up FRA`.",
        reserved=True,
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
        "`./dive up FRA` restores the batch; documents that people made are left alone.",
    ),
    CodeRow(
        Code.LOGIN_REFUSED,
        "Login refused",
        "recoverable",
        "A test person could not log in; the message names the step and the host that refused.",
        "`./dive up FRA`; after several wrong attempts a realm locks a person out for some minutes.",
    ),
    CodeRow(
        Code.LOGIN_UNEXPECTED,
        "Federated login not as expected",
        "recoverable",
        "A login arrived with other claims, by another way, or from another issuer than declared.",
        "`./dive up FRA` refreshes realm and link.",
    ),
    CodeRow(
        Code.DECISION_OR_API,
        "Decision or API",
        "recoverable",
        "The policy decided otherwise than it should, or an API did not answer as it should.",
        "`./dive up FRA`; compare `policies/` where a decision differs.",
    ),
    CodeRow(
        Code.DATABASE,
        "Database",
        "recoverable",
        "A database does not answer, refuses the login of its user, or has another schema.",
        "`./dive up FRA`.",
    ),
    CodeRow(
        Code.CHECK_UNKNOWN,
        "Could not be told",
        "transient",
        "A check ended without an answer; its message says why.",
        "Mend what the message names and look again: `./dive doctor FRA`.",
    ),
    CodeRow(
        Code.CHECK_LATE,
        "A check took too long",
        "transient",
        "A check did not answer within its limit of time; the machine may be busy.",
        "Look again: `./dive doctor FRA`.",
    ),
    CodeRow(
        Code.INTERRUPTED,
        "Interrupted",
        "recoverable",
        "A deployment ended before its end: Ctrl+C, a kill, a loss of power. It may have left Pulumi's lock or pending "
        "operations behind.",
        "`./dive up FRA` continues; where Pulumi says that the stack is locked: `pulumi cancel -s fra` first.",
    ),
    CodeRow(
        Code.ROLLBACK,
        "Rollback failed",
        "permanent",
        "Something could not be taken back.",
        "`./dive doctor FRA` tells what is there.",
        reserved=True,
    ),
    CodeRow(
        Code.RECORD_MISMATCH,
        "Record and reality disagree",
        "recoverable",
        "The orchestration database says something else than the stack's state: a phase that is complete in one is not "
        "in the other.",
        "`./dive up FRA` proves the phase and records it anew.",
    ),
)
CODES: dict[Code, CodeRow] = {row.code: row for row in _ROWS}


class UnknownCode(DiveError, ValueError):
    """A number that is no error code."""


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
    """`docs/reference/errors.md`."""
    lines = [
        "# Error codes",
        "",
        "Findings of `./dive status` and `./dive doctor` carry one of these numbers; `./dive explain 1301` prints one.",
        "This page is made from `dive_infra/results/codes.py`: `./dive explain --page`. FRA stands for the country.",
        "",
        *(f"- **{kind}**: {meaning}" for kind, meaning in KINDS.items()),
    ]
    for number, title in GROUPS.items():
        lines += ["", f"## {title}"]
        for row in (r for r in CODES.values() if r.number // 100 == number):
            lines += ["", f'<a id="{row.number}"></a>', f"### {row.number} {row.title}", ""]
            kept = " Kept from DIVE V3: nothing here reports it." if row.reserved else ""
            lines += [f"*{row.kind}*.{kept} {row.cause}", "", f"Mend it: {row.remedy}"]
    return "\n".join(lines) + "\n"
