"""What the reference services have in common: settings, TLS, tokens, decisions, stores and errors."""
