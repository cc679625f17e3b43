"""The key access service of a country: unwraps document keys and releases them only if the policy permits it."""
