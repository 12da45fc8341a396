"""A job that has stopped: since when, and which rank the others wait for.

In a hang every figure of speed is silent, as no step ends. What is left is where each rank stands: nearly all wait
in a collective, and the one that never came is elsewhere (`current`), a step behind (`last_step`), or dead
(`alive`). Where that cannot be told nobody is named, and the reason says why.
"""

import math

from detectors.hang_conclude import Hang
from detectors.hang_policy import HangPolicy
from detectors.hang_scene import Scene
from detectors.hang_states import read_states
from detectors.observed import Flags, Latest

_DEAD_STEPS = 2
"""Step times that must pass before a dead process counts: others may still be at their own work."""


def find_hang(
    latest: Latest,
    active: Flags,
    *,
    now: float,
    step_time: float | None,
    longest: float | None,
    policy: HangPolicy,
) -> Hang | None:
    """Whether the job has stopped, and for whom it waits.

    Args:
        latest: each node's newest record. Where a node does not synchronise its sections, `current` is a hint
            at best: give `NO_SECTION` there.
        active: nodes that are there and heard of; one that has a time and is not active has gone quiet.
        now: event time, Unix seconds.
        step_time: seconds of a usual step.
        longest: seconds of the longest pause between two finished steps that the job has lived through.
        policy: the limits.

    Returns:
        None while steps end, or while nothing tells whether they do (before the first step: compilation).
    """
    states = read_states(latest, active, now=now, fresh=policy.fresh)
    if states is None:
        return None
    step, pause = _seconds(step_time), _seconds(longest)
    long = states.idle > max(policy.after, policy.steps * step, policy.pauses * pause)
    if not long and states.idle <= max(policy.dead, _DEAD_STEPS * step):
        return None
    few = min(max(1, int(policy.share * states.there.sum())), policy.most)
    scene = Scene(states, latest, now - states.idle, few, policy.waiting)
    # Whoever knows of a death need not wait out what could be a long step.
    return scene.look() if long else scene.dead(seen=True)


def _seconds(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0
