"""A provider whose process prints that its run has ended and records nothing; found by module and class."""

from dataclasses import dataclass

from dive_infra.dynamic.base import Inputs, Outputs, Provider
from dive_infra.dynamic.runtime.deployment_run import DeploymentRun


@dataclass
class ToldRun(DeploymentRun):
    def end(self) -> None:
        print("this run has ended", flush=True)


class EndTellingProvider(Provider):
    deploys = False

    def create_resource(self, inputs: Inputs) -> tuple[str, Outputs]:
        self.run.deployment = ToldRun()
        return "one", {}
