"""What the provider process knows about the run that it serves: one object, shared by all providers."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dive_infra.dynamic.runtime.deployment_run import DeploymentRun
from dive_infra.dynamic.runtime.unchecked import Unchecked
from dive_infra.process.probe_cache import PROBES, ProbeCache
from dive_infra.results.finding import Finding

if TYPE_CHECKING:  # VERIFICATION alone loads it
    from dive_infra.membership.status import PublishedStatus


@dataclass
class RunContext:
    """`realm_findings`: realm -> what its probe found, until the phase's checkpoint takes it.

    `statuses`: partner -> what it published when its link was proven.
    `key_incarnations`: key provider (`realm/name`) -> how often a run has found it missing, and created it again.
    """

    deployment: DeploymentRun = field(default_factory=DeploymentRun)
    unchecked: Unchecked = field(default_factory=Unchecked)
    probes: ProbeCache = PROBES
    realm_findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict[str, tuple[Finding, ...]])
    statuses: "dict[str, PublishedStatus]" = field(default_factory=dict)
    key_incarnations: dict[str, int] = field(default_factory=dict[str, int])
