"""Where ranks sit, as arrays of nodes by ranks: the numbers that a detector would give them."""

from dataclasses import dataclass

import numpy as np

from detectors.observed import Integers
from simulation.case import Shape


@dataclass(frozen=True, slots=True)
class Layout:
    """A job's places. All arrays are nodes by local ranks, but `rack`, which is per node.

    Attributes:
        stage: pipeline stage.
        replica: data-parallel replica of the rank (stages of one pipeline share it).
        tensor: tensor-parallel role.
        expert: expert role.
        part: stage, expert and tensor role in one number.
        device: within its node.
        rack: of the node.
    """

    stage: Integers
    replica: Integers
    tensor: Integers
    expert: Integers
    part: Integers
    device: Integers
    rack: Integers


def layout(shape: Shape) -> Layout:
    """Place the ranks of a job: stages are blocks of nodes, tensor-parallel ranks are neighbours in a node."""
    node = np.arange(shape.nodes, dtype=np.int32)[:, None]
    rank = np.arange(shape.ranks, dtype=np.int32)[None, :]
    stage = node // shape.replicas + 0 * rank
    place = node % shape.replicas
    expert = place % shape.experts + 0 * rank
    tensor = rank % shape.tensor + 0 * node
    return Layout(
        stage=stage,
        replica=place * (shape.ranks // shape.tensor) + rank // shape.tensor,
        tensor=tensor,
        expert=expert,
        part=(stage * shape.experts + expert) * shape.tensor + tensor,
        device=rank * shape.devices // shape.ranks + 0 * node,
        rack=node[:, 0] // shape.rack,
    )
