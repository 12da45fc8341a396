"""From what the collectors answered to one telemetry record. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from collectors.reading import Gap, Reading
from collectors.telemetry import SCHEMA, Telemetry

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: see the telemetry contract. ``labels`` are the configured ones: they win over those found."""

    cluster: str
    node: str
    instance: str
    boot: str
    period: float
    labels: Mapping[str, str] = field(default_factory=dict)


def assemble(
    identity: Identity, seq: int, end: float, answers: Mapping[str, Reading | Gap], gaps: Mapping[str, str]
) -> Telemetry:
    """The record of the period that ends at ``end`` (Unix seconds). ``gaps`` are the agent's own."""
    readings = [answer for answer in answers.values() if isinstance(answer, Reading)]
    silent = {name: answer.reason for name, answer in answers.items() if isinstance(answer, Gap)}
    noted = {name: reason for reading in readings for name, reason in reading.notes.items()}
    steps = next((reading for reading in readings if reading.ranks is not None), Reading())
    return Telemetry(
        schema=SCHEMA,
        cluster=identity.cluster,
        node=identity.node,
        instance=identity.instance,
        boot=identity.boot,
        seq=seq,
        time=end,
        period=identity.period,
        job=steps.job,
        leaving=steps.leaving,
        labels=_merged(reading.labels for reading in readings) | dict(identity.labels),
        ranks=steps.ranks,
        steps=steps.steps,
        gauges=_merged(reading.gauges for reading in readings),
        counters=_merged(reading.counters for reading in readings),
        faults=[fault for reading in readings for fault in reading.faults],
        gaps=silent | noted | dict(gaps),
    )


def _merged(parts: Iterable[Mapping[str, _Value]]) -> dict[str, _Value]:
    return {name: value for part in parts for name, value in part.items()}
