"""Serves the rules to the engine, which asks about each resource before it is created or changed.

The package `pulumi-policy` is not used: it reads every resource once per rule, which costs a second per preview, and it
hides which values are secret. The engine's own protocol is in the package `pulumi`.
"""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerServicer, add_AnalyzerServicer_to_server
from pulumi.runtime.proto.plugin_pb2 import PluginInfo

from dive_infra.dynamic.runtime import engine_watchdog
from dive_infra.process import gc_tuning
from policy.rule import Resource, Rule, judge
from policy.rules import RULES
from policy.wire import read

PACK, VERSION = "dive", "1.0.0"
LEVELS = {"mandatory": wire.MANDATORY, "advisory": wire.ADVISORY}
MOST_BYTES = 400 * 1024 * 1024  # per message, the limit that Pulumi itself uses


class Rules(AnalyzerServicer):
    """The engine's analyzer service: `Analyze` judges resources, the other methods describe the pack."""

    disposable = False
    address = ""

    def ConfigureStack(self, request: Any, context: object) -> Any:  # noqa: N802 (named by the engine)
        self.disposable = request.config.get("dive:disposable") == "true"
        self.address = request.config.get("dive:address", "")
        return wire.AnalyzerStackConfigureResponse()

    def Analyze(self, request: Any, context: object) -> Any:  # noqa: N802
        answer = wire.AnalyzeResponse()
        if rules := [rule for rule in RULES if request.type in rule.kinds]:
            inputs = read(MessageToDict(request.properties))
            resource = Resource(request.type, inputs, request.options.protect, self.disposable, self.address)
            for rule in rules:
                found = judge(rule, resource)
                answer.diagnostics.extend(diagnostic(rule, violation) for violation in found.violations)
                if found.undecided:
                    answer.not_applicable.add(policy_name=rule.name, reason=found.undecided)
        return answer

    def AnalyzeStack(self, request: Any, context: object) -> Any:  # noqa: N802
        return wire.AnalyzeResponse()

    def Remediate(self, request: Any, context: object) -> Any:  # noqa: N802
        return wire.RemediateResponse()

    def GetAnalyzerInfo(self, request: Any, context: object) -> Any:  # noqa: N802
        policies = [
            wire.PolicyInfo(
                name=rule.name,
                description=rule.description,
                enforcementLevel=LEVELS[rule.level],
                policy_type=wire.POLICY_TYPE_RESOURCE,
            )
            for rule in RULES
        ]
        return wire.AnalyzerInfo(name=PACK, version=VERSION, policies=policies)

    def GetPluginInfo(self, request: Any, context: object) -> Any:  # noqa: N802
        return PluginInfo(version=version("pulumi"))

    def Configure(self, request: Any, context: object) -> Any:  # noqa: N802
        return Empty()


def diagnostic(rule: Rule, violation: str) -> Any:
    return wire.AnalyzeDiagnostic(
        policyName=rule.name,
        policyPackName=PACK,
        policyPackVersion=VERSION,
        description=rule.description,
        message=f"{violation}\n{rule.reason}",
        enforcementLevel=LEVELS[rule.level],
    )


def serve(engine: str) -> None:
    """Serve until the engine at the address `engine` is gone; print the port, which the engine reads."""
    gc_tuning.tune()
    size = [(f"grpc.max_{way}_message_length", MOST_BYTES) for way in ("send", "receive")]
    server = grpc.server(ThreadPoolExecutor(4), options=size)
    add_AnalyzerServicer_to_server(Rules(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    engine_watchdog.watch(engine)
    print(port, flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for a process in the background
    with suppress(KeyboardInterrupt):  # the engine sends SIGINT when it is done
        server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
