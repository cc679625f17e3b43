"""What the reference services share: settings, TLS, tokens, policy decisions, stores, responses and errors."""
