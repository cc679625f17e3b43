"""The key access service of a country: unwraps document keys and hands them out only when the policy permits."""
