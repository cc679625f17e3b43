"""Folders that Pulumi works in, instead of `~/.pulumi`, with the plugins that this machine has."""

from pathlib import Path

from dive_infra.automation.workspace import pulumi_home


def with_logs(folder: Path) -> Path:
    """Return the folder, in which Pulumi keeps a log of each run, as it does for its users."""
    plugins = pulumi_home() / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (folder / "plugins").symlink_to(plugins.resolve())
    return folder


def without_logs(folder: Path) -> Path:
    """Return the folder, in which Pulumi keeps no logs: they take a tenth of a run, and no setting turns them off."""
    (folder / "logs").touch()
    return with_logs(folder)
