"""The past runs of a country in the record, as one list of events, oldest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection

Kind = Literal["checkpoint", "transition", "error"]

_EVENTS = """
SELECT 'checkpoint', proven_at, run_id, created_by, checkpoint_level::text, coalesce(metadata ->> 'why', '')
FROM checkpoints WHERE instance_code = %(code)s
UNION ALL
SELECT 'transition', transition_time, run_id, initiated_by, to_state::text, reason
FROM state_transitions WHERE instance_code = %(code)s
UNION ALL
SELECT 'error', occurred_at, run_id, '', component, message
FROM orchestration_errors WHERE instance_code = %(code)s
ORDER BY 2
"""


@dataclass(frozen=True)
class Event:
    """`subject` is the phase of a checkpoint, the state that was entered, or the component that failed.

    `why` is the reason of a phase or of a transition, or the message of an error.
    """

    kind: Kind
    at: datetime
    run_id: str
    actor: str
    subject: str
    why: str


def events(connection: Connection[Any], country: str) -> list[Event]:
    """Return all events of a country that the login may see."""
    return [Event(*row) for row in connection.execute(_EVENTS, {"code": country.lower()}).fetchall()]
