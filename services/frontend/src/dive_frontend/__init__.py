"""The portal of a country: sign in, see who one is, read what the policy allows, and learn why the rest is refused."""
