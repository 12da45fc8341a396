"""The door: what is heard is folded into a state, and from it follows who is to be told what now.

Pure: the same events, times and policy give the same letters. The shell keeps the state (`encode`, `decode`)
together with the letters it was given, and sends those at least once.
"""

from msgspec import Struct

from remediation.alerts.notice import Notice
from remediation.paging.events import Event
from remediation.paging.policy import Paging
from remediation.paging.state import State

__all__ = ["Letter", "State", "StateError", "decode", "due", "encode", "hear", "settle", "standing", "watched"]


class StateError(ValueError):
    """A saved state that this version cannot read."""


class Letter(Struct, frozen=True):
    """One notice for one channel."""

    channel: str
    notice: Notice


def hear(state: State, event: Event, policy: Paging, now: float) -> State:  # noqa: ARG001
    """The state after an event. `now`: Unix seconds. What was heard before changes nothing."""
    return state


def due(
    state: State,
    policy: Paging,  # noqa: ARG001
    channels: tuple[str, ...],  # noqa: ARG001
    now: float,  # noqa: ARG001
) -> tuple[State, tuple[Letter, ...]]:
    """What is to be told now, in the order in which it must reach each channel, and the state after that.

    Each letter is given out once: the shell keeps letters and state together, or neither. `channels` are the names
    of those that the configuration opens.
    """
    return state, ()


def settle(state: State) -> State:
    """Forget pages that are over and were told nobody: what was history before the pager's first start."""
    return state


def standing(state: State, policy: Paging, now: float) -> tuple[Notice, ...]:  # noqa: ARG001
    """The present state of every page that is not over, as it would be told; the oldest first."""
    return ()


def watched(state: State) -> dict[str, int]:  # noqa: ARG001
    """Counts for metrics: `open`, `untold`, `acknowledged`, `nodes` (in storms too), `silent`, `lost`."""
    return {}


def encode(state: State) -> bytes:  # noqa: ARG001
    """The state as JSON: the same state gives the same bytes."""
    return b"{}"


def decode(saved: bytes) -> State:  # noqa: ARG001
    """Read a state.

    Raises:
        StateError: it is none, or of another version.
    """
    return State()
