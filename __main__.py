"""The Pulumi program: one stack is one country (`dive_infra.stacks.program`)."""

import pulumi

from dive_infra.config.plain_secrets import refuse_plain_secrets
from dive_infra.config.settings import SettingsError, load
from dive_infra.dynamic.runtime.patches import silence_debug_log
from dive_infra.process import gc_tuning
from dive_infra.stacks.program import deploy

gc_tuning.tune()
silence_debug_log()
stack = pulumi.get_stack()
try:
    settings = load(stack, pulumi.runtime.get_config_env())
    refuse_plain_secrets(stack)
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None
if settings.secrets and not pulumi.runtime.is_config_secret("dive:secrets"):
    raise pulumi.RunError(
        f"dive:secrets is stored in plain text in Pulumi.{stack}.yaml, expected encrypted; next: remove it there, "
        f"then set new values: pulumi config set -s {stack} --secret --path dive:secrets.<name>"
    )
pulumi.run(lambda: deploy(settings, stack))
