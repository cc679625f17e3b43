"""Values in Docker's own terms, for containers that are declared, observed and repaired here."""

NANOSECONDS = 1_000_000_000  # in a second: Docker's unit of time, and of a processor
RESTART = "unless-stopped"  # the restart policy of every container
