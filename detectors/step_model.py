"""What a step would take if one node were a typical peer: how much of the job's time a suspect costs.

A pipeline's stages work at the same time on different microbatches. A stage starts when the first one has come
down to it, and does forwards for later ones while that one goes on down and comes back. So a step takes, over all
replicas and stages, the longest of

    own work of the stage + what a microbatch takes in the stages before it
    + what it takes in those after it, less the stage's forwards meanwhile

On ByteDance's trace `AR` this recovers 0.509, where their own analysis of single operations says 0.494 (against
the mean of all ranks) and the same against the peers' median 0.506; and a step takes 0.98 of what it took. The
sum along the pipeline says 0.554, and that a step takes twice as long as it does (Lin et al., "Understanding
Stragglers in Large Model Training Using What-if Analysis", OSDI 2025; traces: `tools.bytedance`).
"""

from dataclasses import dataclass

import numpy as np

from detectors.observed import Flags, Floats, Integers

_MICROBATCHES = 8
"""Microbatches for each stage, where telemetry does not tell: enough to keep a pipeline's bubble near a tenth."""

_FORWARD = 1 / 3
"""Share of a microbatch's own work that is its forward: a backward takes twice as long."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each node sits: its replica of the model and its stage in the pipeline, -1 where not known."""

    replica: Integers
    depth: Integers

    def known(self, among: Flags) -> "Places":
        """The same with one replica, the slowest node of each stage, where replicas are not known of all."""
        replica = self.replica if (self.replica[among] >= 0).all() else np.zeros_like(self.replica)
        depth = self.depth if (self.depth[among] >= 0).all() else np.zeros_like(self.depth)
        return Places(replica, depth)


def recovered(own: Floats, typical: Floats, suspects: Flags, places: Places) -> Floats:
    """Seconds per step that go if each suspect were typical, other suspects taken as typical too.

    Two equally slow ones would otherwise excuse each other.

    Args:
        own: seconds of own work per step of each node; NaN where not compared.
        typical: what its peers' median takes; NaN likewise.
        suspects: whose share is asked for.
        places: where nodes sit.

    Returns:
        Of each node; zero for those who are no suspects.
    """
    found = np.zeros(len(own))
    there = ~np.isnan(own)
    if not (there & suspects).any():
        return found
    places = places.known(there)
    slots = np.flatnonzero(there)
    replica, depth = places.replica[slots], places.depth[slots]
    table = np.zeros((int(replica.max()) + 1, int(depth.max()) + 1))
    np.maximum.at(table, (replica, depth), np.where(suspects, np.fmin(own, typical), own)[slots])
    without = _longest(table).max()
    for slot in np.flatnonzero(there & suspects):
        row = table[places.replica[slot]].copy()
        row[places.depth[slot]] = max(row[places.depth[slot]], own[slot])
        found[slot] = max(0.0, float(_longest(row[None])[0] - without))
    return found


def _longest(table: Floats) -> Floats:
    """The longest path of each replica (first axis) through its stages (second axis), seconds."""
    stages = table.shape[1]
    microbatch = table / (_MICROBATCHES * stages)
    before = np.cumsum(microbatch, axis=1) - microbatch
    after = microbatch.sum(axis=1, keepdims=True) - before - microbatch
    forwards = _FORWARD * microbatch * np.arange(stages - 1, -1, -1)
    longest: Floats = (table + before + np.maximum(0.0, after - forwards)).max(axis=1)
    return longest
