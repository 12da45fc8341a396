"""The door: what is heard is folded into a state, and from it follows who is to be told what now.

Pure: the same events, times and policy give the same letters. The shell keeps the state (`encode`, `decode`)
together with the letters it was given, and sends those at least once.
"""

from detectors.verdict import Verdict
from remediation.paging import acknowledging, jobs, ledger_story, nodes, seeing, telling
from remediation.paging.events import Entered, Event, Looked, Ordered, Said
from remediation.paging.pages import forgotten
from remediation.paging.policy import Paging
from remediation.paging.saving import StateError, decode, encode
from remediation.paging.state import NodeStory, State
from remediation.paging.telling import Letter, standing

__all__ = ["Letter", "State", "StateError", "decode", "due", "encode", "hear", "settle", "standing", "watched"]


def hear(state: State, event: Event, policy: Paging, now: float) -> State:
    """The state after an event. `now`: Unix seconds. What was heard before changes nothing."""
    if isinstance(event, Said):
        saying = event.saying
        if isinstance(saying, Verdict):
            return nodes.hear_node(seeing.hear_silence(state, saying), saying, policy, now)
        return nodes.end_late(jobs.hear_job(state, saying, policy, now), saying)
    if isinstance(event, Entered):
        return ledger_story.hear_record(state, event, policy, now)
    if isinstance(event, Ordered):
        return acknowledging.hear_order(state, event.order)
    if isinstance(event, Looked):
        return seeing.hear_sources(state, event, now)
    return seeing.hear_channel(state, event, now)


def due(state: State, policy: Paging, channels: tuple[str, ...], now: float) -> tuple[State, tuple[Letter, ...]]:
    """What is to be told now, in the order in which it must reach each channel, and the state after that.

    Each letter is given out once: the shell keeps letters and state together, or neither. `channels` are the names
    of those that the configuration opens. A state that has nothing to tell comes back as it is.
    """
    return telling.tell(state, policy, channels, now)


def settle(state: State) -> State:
    """Forget pages that are over and were told nobody: what was history before the pager's first start."""
    for key, page in state.pages.items():
        if page.over is not None and page.first is None:
            state = forgotten(state, key)
    return state


def watched(state: State) -> dict[str, int]:
    """Counts for metrics: `open`, `untold`, `acknowledged`, `nodes` (in storms too), `silent`, `lost`."""
    pages = [page for _, page in state.pages.items() if page.over is None]
    own = [page for page in pages if not (isinstance(page.story, NodeStory) and page.story.storm is not None)]
    return {
        "open": len(own),
        "untold": sum(page.first is None for page in own),
        "acknowledged": sum(page.acknowledged is not None for page in own),
        "nodes": sum(isinstance(page.story, NodeStory) for page in pages),
        "silent": sum(cluster.mute.size for cluster in state.clusters.values()),
        "lost": state.lost,
    }
