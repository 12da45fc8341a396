"""The controller's state: what the ledger tells, what is known of the world, and what is on its way."""

from dataclasses import dataclass, field

from remediation.events import Ordered
from remediation.incidents import Durable
from remediation.picture import Picture


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a decision rests on.

    Attributes:
        cluster: whose; what is said of others is not heard.
        durable: a fold over the ledger.
        picture: of the world; begun anew after a restart.
        orders: not yet taken, oldest first.
        waiting: ids of records that were decided and not yet read back. Nothing is decided meanwhile.
        waiting_since: when they were decided, Unix seconds.
    """

    cluster: str
    durable: Durable = field(default_factory=Durable)
    picture: Picture = field(default_factory=Picture)
    orders: tuple[Ordered, ...] = ()
    waiting: frozenset[str] = frozenset()
    waiting_since: float = 0.0

    @classmethod
    def of(cls, cluster: str) -> "State":
        """The state before anything was heard of `cluster`."""
        return cls(cluster)
