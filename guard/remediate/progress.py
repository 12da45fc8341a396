"""How far a job has come, put together from the telemetry of its nodes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from collectors.telemetry import Telemetry
from remediation.events import Progress

_SILENT = 120.0
"""Seconds behind the job's newest record after which a node's word counts no more: it may have left."""


@dataclass(slots=True)
class _Node:
    """What a node has said in this attempt: its newest record, and what is known of each of its ranks."""

    instance: str
    newest: Telemetry
    steps: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, int] = field(default_factory=dict)
    resumed: dict[int, int] = field(default_factory=dict)


class JobProgress:
    """One job: its newest attempt alone, so that nothing of an old one survives a restart."""

    def __init__(self) -> None:
        self._attempt = -1
        self._nodes: dict[str, _Node] = {}

    def take(self, record: Telemetry) -> None:
        """A record of the job. One of an older attempt, or older than what its node said, changes nothing."""
        job = record.job
        if job is None or job.attempt < self._attempt:
            return
        if job.attempt > self._attempt:
            self._attempt = job.attempt
            self._nodes.clear()
        if record.leaving:
            self._nodes.pop(record.node, None)
            return
        node = self._nodes.get(record.node)
        if node is not None and node.instance == record.instance and record.time < node.newest.time:
            return
        if node is None or node.instance != record.instance:
            node = self._nodes[record.node] = _Node(record.instance, record)
        node.newest = record
        if record.ranks is None or record.steps is None:
            return
        ranks = record.ranks.rank
        node.steps.update(_known(ranks, record.steps.last_step))
        node.checkpoints.update(_known(ranks, record.steps.checkpoint_step))
        node.resumed.update(_known(ranks, record.steps.resumed_step))

    def told(self) -> Progress | None:
        """All of it; None where nothing is known of its newest attempt."""
        if not self._nodes:
            return None
        newest = max(node.newest.time for node in self._nodes.values())
        heard = {name: node for name, node in self._nodes.items() if node.newest.time >= newest - _SILENT}
        return Progress(
            time=min(node.newest.time for node in heard.values()),
            attempt=self._attempt,
            nodes=frozenset(heard),
            steps=_together(node.steps for node in heard.values()),
            checkpoints=_together(node.checkpoints for node in heard.values()),
            resumed=_together(node.resumed for node in heard.values()),
            step_time=_step_time([node.newest for node in heard.values()]),
        )


def _known(ranks: Sequence[int], column: Sequence[int | None] | None) -> Iterator[tuple[int, int]]:
    yield from ((rank, value) for rank, value in zip(ranks, column or (), strict=False) if value is not None)


def _together(parts: Iterator[dict[int, int]]) -> dict[int, int]:
    return {rank: value for part in parts for rank, value in part.items()}


def _step_time(records: Sequence[Telemetry]) -> float | None:
    """Seconds of a step, over all steps that ended in the newest period of each node."""
    seconds, count = 0.0, 0
    for record in records:
        if record.steps is not None and record.steps.duration is not None:
            for steps, lasted in zip(record.steps.count, record.steps.duration, strict=False):
                if steps and lasted is not None:
                    seconds, count = seconds + lasted, count + steps
    return seconds / count if count else None
