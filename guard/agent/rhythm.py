"""When periods end and when their records are sent. Pure arithmetic on Unix seconds."""

import hashlib
import math

_SPREAD = 0.8
"""Share of a period over which a fleet spreads its sending, so that 62,500 nodes do not speak at once."""


def next_end(wall: float, period: float) -> float:
    """The first multiple of ``period`` after ``wall``: where every node's period ends."""
    return (math.floor(wall / period) + 1) * period


def sending_delay(cluster: str, node: str, period: float) -> float:
    """How long after a period's end this node sends: the same for a node at all times, even over a fleet."""
    digest = hashlib.blake2b(f"{cluster}/{node}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / (1 << 32) * _SPREAD * period
