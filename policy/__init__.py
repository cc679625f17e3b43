"""The policy pack: rules, as data, on what a preview or an update may declare. Pulumi's engine enforces them."""
