"""One country is one stack: which one is this?"""

import pulumi

from dive_infra.config.settings import SettingsError, load
from dive_infra.dynamic.runtime.patches import silence_debug_log
from dive_infra.process import gc_tuning
from dive_infra.stacks.program import deploy

gc_tuning.tune()
silence_debug_log()
try:
    settings = load(pulumi.get_stack(), pulumi.runtime.get_config_env())
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None
if settings.secrets and not pulumi.runtime.is_config_secret("dive:secrets"):
    raise pulumi.RunError(
        f"dive:secrets: stands in plain text in Pulumi.{pulumi.get_stack()}.yaml, expected it encrypted; "
        "next: take it out there, and give another value: pulumi config set --secret --path dive:secrets.<name>"
    )
pulumi.run(lambda: deploy(settings, pulumi.get_stack()))
