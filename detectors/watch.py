"""Looking on: what a job's judged windows came to, for those who explain verdicts. It changes no saying."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from detectors.judge import Reading
from detectors.observed import Observed


@dataclass(frozen=True, slots=True)
class Watched:
    """One judged window of a job.

    Attributes:
        cluster, job, attempt: whose.
        observed: what was seen, an entry per node slot. Its arrays are used again after the call: copy from them.
        reading: what the judge made of it.
        names: of the node in each slot; None where a slot is empty.
    """

    cluster: str
    job: str
    attempt: int
    observed: Observed
    reading: Reading
    names: Sequence[str | None]


class Watch(Protocol):
    """Told of every judged window, right after it was judged."""

    def __call__(self, watched: Watched, /) -> None:
        """Look at it, and change none of its arrays."""
        ...
