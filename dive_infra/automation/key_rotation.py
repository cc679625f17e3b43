"""The rotation of the keys that a country is enrolled with, in its encrypted stack file.

Each key gets a successor beside it, which the renewed request asks for, and the one before is dropped at the end. A run
that was killed in between left some keys with a successor and some without; the same step continues.
"""

from pathlib import Path

from dive_infra.automation.enrolment import Enrolled, enrol, read_settings, set_secret
from dive_infra.automation.pulumi_cli import Runner
from dive_infra.config.credentials import enrolled
from dive_infra.crypto import pki
from dive_infra.membership.enrolment import new_keys, private_keys


def add_successors(runner: Runner, folder: Path | None = None) -> Enrolled:
    """Give each key a successor, unless it has one, and renew the request; raises as `enrol`.

    The request is signed with the deployer's key before, too: whoever has compared that need not compare again.
    """
    settings = read_settings(runner)
    private = private_keys(settings)
    alone = [c for c in enrolled(settings.is_hub) if len(pki.private_keys(private.get(c.name, ""))) == 1]
    for name, successor in new_keys(c for c in alone if c.name in private).items():
        set_secret(runner, name, f"{private[name].strip()}\n{successor}")
    return enrol(runner, folder)


def drop_predecessors(runner: Runner) -> None:
    """Keep the newest of each key alone; raises `PulumiFailed` or `SettingsError`."""
    settings = read_settings(runner)
    private = private_keys(settings)
    for credential in enrolled(settings.is_hub):
        held = pki.private_keys(private[credential.name])
        if len(held) > 1:
            set_secret(runner, credential.name, held[-1])
