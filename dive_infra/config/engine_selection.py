"""Which engine a country's services run on, as the settings `dive:engine` and `dive:engineCertificates` say."""

import re
from dataclasses import dataclass
from typing import NamedTuple

FILES = ("ca.pem", "cert.pem", "key.pem")  # what a folder of certificates holds, by the names that Docker expects

_FORMS = "unix:///path, context:NAME, ssh://[user@]host[:port] or tcp://host:port"
_HOST = r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])"  # none starts like an option of a command
_PORT = r":(?P<port>[0-9]{1,5})"
_CONTEXT = re.compile(r"context:(?P<name>[A-Za-z0-9][A-Za-z0-9_.+-]*)")
_SSH = re.compile(rf"ssh://((?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?{_HOST}({_PORT})?")
_OTHERS = (re.compile(r"unix:///[!-~]+"), _CONTEXT)
_TCP = re.compile(rf"tcp://{_HOST}{_PORT}")


class SshTarget(NamedTuple):
    """Where ssh connects to; `user` and `port` are empty if ssh's own configuration decides."""

    user: str
    host: str
    port: str


def ssh_target(address: str) -> SshTarget | None:
    """Return where an address of the form `ssh://[user@]host[:port]` leads to; None if it has another form."""
    found = _SSH.fullmatch(address)
    if not found or not _is_port(found["port"]):
        return None
    return SshTarget(found["user"] or "", found["host"].strip("[]"), found["port"] or "")


@dataclass(frozen=True)
class EngineSelection:
    """`address` is empty for the engine that Docker's own variables and contexts select.

    `certificates` is the folder with the TLS files for `tcp://`, absolute or relative to the folder of the stack files.
    """

    address: str = ""
    certificates: str = ""

    def __str__(self) -> str:
        given = f" with {self.certificates}" if self.certificates else ""
        return f"{self.address or 'none'}{given}"

    @property
    def context(self) -> str:
        """Return the name of the Docker context; empty if it is none."""
        found = _CONTEXT.fullmatch(self.address)
        return found["name"] if found else ""

    @property
    def flaw(self) -> str:
        """Return the wrong setting with what was found and expected; empty if there is none."""
        tcp = _TCP.fullmatch(self.address)
        if self.certificates and not tcp:
            return (
                f"engineCertificates: found {self.certificates!r}, expected it only with an engine at tcp://host:port"
            )
        if not self.address or ssh_target(self.address) or any(form.fullmatch(self.address) for form in _OTHERS):
            return ""
        if not tcp or not _is_port(tcp["port"]):
            return f"engine: found {self.address!r}, expected {_FORMS}"
        if not self.certificates:
            return f"engineCertificates: not set, expected the folder with {', '.join(FILES)} for {self.address}"
        return ""


def _is_port(text: str | None) -> bool:
    return text is None or 1 <= int(text) <= 65535
