"""Node states, and which may follow which. Per (node, instance): another machine of the name starts anew."""

from enum import StrEnum


class NodeState(StrEnum):
    """Where a node stands with guard. A node that nobody speaks of is healthy and has no incident."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    CONFIRMED = "confirmed"
    CORDONED = "cordoned"
    DRAINING = "draining"
    QUALIFYING = "qualifying"
    PROBATION = "probation"
    REPAIRING = "repairing"
    REPLACING = "replacing"
    HELD = "held"
    GONE = "gone"


_S = NodeState

TRANSITIONS: dict[NodeState, frozenset[NodeState]] = {
    _S.HEALTHY: frozenset({_S.SUSPECT, _S.CONFIRMED, _S.HELD, _S.GONE}),
    _S.SUSPECT: frozenset({_S.HEALTHY, _S.CONFIRMED, _S.HELD, _S.GONE}),
    _S.CONFIRMED: frozenset({_S.HEALTHY, _S.SUSPECT, _S.CORDONED, _S.HELD, _S.GONE}),
    _S.CORDONED: frozenset({_S.HEALTHY, _S.DRAINING, _S.HELD, _S.GONE}),
    _S.DRAINING: frozenset({_S.HEALTHY, _S.QUALIFYING, _S.REPAIRING, _S.REPLACING, _S.HELD, _S.GONE}),
    _S.QUALIFYING: frozenset({_S.PROBATION, _S.REPAIRING, _S.REPLACING, _S.HELD, _S.HEALTHY, _S.GONE}),
    _S.PROBATION: frozenset({_S.HEALTHY, _S.CONFIRMED, _S.HELD, _S.GONE}),
    _S.REPAIRING: frozenset({_S.QUALIFYING, _S.HELD, _S.HEALTHY, _S.GONE}),
    _S.REPLACING: frozenset({_S.HELD, _S.HEALTHY, _S.GONE}),
    _S.HELD: frozenset({_S.HEALTHY, _S.QUALIFYING, _S.PROBATION, _S.REPAIRING, _S.REPLACING, _S.GONE}),
    _S.GONE: frozenset(),
}
"""What may follow. `healthy` from anywhere is a person's uncordon, which wins; `gone` is the end."""

OUT_OF_SERVICE = frozenset(
    {_S.CORDONED, _S.DRAINING, _S.QUALIFYING, _S.REPAIRING, _S.REPLACING, _S.HELD},
)
"""States in which the node takes no work because of guard."""
