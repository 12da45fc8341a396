"""What is known: the controller's state, a fold over the ledger and the events of this term."""

import time

from guard.remediate.ledger import Entered
from remediation.controller import decide
from remediation.events import Event, Recorded
from remediation.incidents import Incident
from remediation.ledger import Intent, Record
from remediation.policy import Policy
from remediation.state import State

_LONGEST = 600.0
"""Seconds: the longest deadline that a policy may give an act. Whoever writes another one into the ledger is not
waited for any longer."""


class Book:
    """Folds the ledger, whoever leads; what the controller decides is for the leader to publish.

    Args:
        cluster: whose.
        policy: how guard acts.
    """

    def __init__(self, cluster: str, policy: Policy) -> None:
        self.state, self.policy = State.of(cluster), policy
        self._taken: dict[str, float] = {}

    def take(self, known: Event | Entered) -> tuple[Record, ...]:
        """A record of the ledger or another event, and what the controller decides on it."""
        event = Recorded(known.record, known.offset) if isinstance(known, Entered) else known
        self.state, records = decide(self.state, event, self.policy, time.time())
        if isinstance(known, Entered) and isinstance(known.record, Intent):
            self._taken[known.record.id] = known.taken
        return records

    def incident(self, intent: Intent) -> Incident | None:
        """Whose act it is."""
        durable, name = self.state.durable, intent.incident or ""
        return durable.incidents.get(name) or durable.closed.get(name)

    def in_flight(self, now: float, begin_within: float) -> float:
        """Seconds that an act may still last that a former leader has begun; 0: none can be under way.

        An act is begun before its intent expires, and not by a leader that finds that it was succeeded.

        Args:
            now: the bus's clock, when the former leader was succeeded.
            begin_within: seconds from a leader's asking who leads until its act begins at the latest.
        """
        alive = self.state.durable.alive
        self._taken = {name: taken for name, taken in self._taken.items() if name in alive}
        return max((self._over(alive[name], now + begin_within) - now for name in self._taken), default=0.0)

    def _over(self, intent: Intent, latest: float) -> float:
        expires = self._taken[intent.id] + max(intent.expires - intent.time, 0.0)
        return min(latest, expires) + min(intent.deadline, _LONGEST)
