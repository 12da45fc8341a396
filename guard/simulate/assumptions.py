"""Every number that the model rests on, with its source: the type is the table in `docs/loop.md`."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

HOUR, DAY = 3600.0, 86400.0
_OURS = "assumed; no source states it"
_TRACE = "StepFun InfiniteHBD trace (584 faults, 400 servers, 348 days)"


def _of(what: str, source: str, least: float = 0) -> Meta:
    return Meta(ge=least, description=what, extra={"source": source})


class Assumptions(Struct, frozen=True, forbid_unknown_fields=True):
    """The model's numbers. Times in seconds, rates in events per 1,000 node-days."""

    nodes: Annotated[int, _of("nodes of the job", "the task", 4)] = 1024
    spares: Annotated[int, _of("idle nodes beside it", "assumed: about twice what is in repair at a time")] = 48
    days: Annotated[float, _of("days that the job lasts", "the task", 0.01)] = 30.0
    rack: Annotated[int, _of("nodes of a rack", _OURS, 1)] = 16
    step: Annotated[float, _of("seconds of a step when nobody is slow", "GUARD (MLSys 2026): 10 s", 0.01)] = 10.0
    rate: Annotated[float, _of("faults", f"{_TRACE}: 4.2; Meta (HPCA 2025): 2.3 to 6.5")] = 4.2
    slow: Annotated[
        Annotated[float, Meta(le=1)],
        _of(
            "share of faults that slow a node until it is repaired",
            f"{_TRACE}: fans, temperature, slow or narrow links are 75 of 584",
        ),
    ] = 0.128
    hang: Annotated[
        Annotated[float, Meta(le=1)],
        _of("share that hangs the job", f"{_TRACE}: time-outs and suspects of a stuck training are 23 of 584"),
    ] = 0.039
    transient: Annotated[
        float, _of("faults that slow a node and pass", "assumed: as often as those that stay")
    ] = 0.54
    passing_least: Annotated[float, _of("shortest of these", "Greyhound (ATC 2025): less than minutes", 1)] = 60.0
    passing_most: Annotated[
        float, _of("longest of these", "Greyhound (ATC 2025): nearly ten hours; log-uniform between", 1)
    ] = 36000.0
    concentration: Annotated[
        float,
        _of("shape of the gamma spread of rates among nodes (less: fewer, worse nodes)", f"{_TRACE}: 0.93", 0.01),
    ] = 0.93
    excess_least: Annotated[
        float, _of("least excess of a slow node", "the suite `faulty`, on which detection was measured", 0.001)
    ] = 0.1
    excess_most: Annotated[
        float,
        _of(
            "greatest excess; log-uniform between",
            "the suite `faulty`: 3 times as slow, throttling 1.6, now and then 1.3",
            0.001,
        ),
    ] = 2.0
    stopped: Annotated[float, _of("median until people restart a stopped job, where nothing else does", _OURS)] = (
        2 * HOUR
    )
    straggler: Annotated[float, _of("median until people find a node that slows the job", _OURS)] = 12 * HOUR
    scatter: Annotated[float, _of("log-normal spread of both", _OURS)] = 0.8
    node_fail: Annotated[
        float, _of("until the scheduler requeues the job of a dead node", "Slurm's SlurmdTimeout: 300 s")
    ] = 300.0
    hang_timeout: Annotated[
        float, _of("until a hung job ends itself and is requeued", "PyTorch's default for NCCL: 10 min")
    ] = 600.0
    restart: Annotated[
        float, _of("from a stop until steps are made again", "`remediation.policy.economy.restart`")
    ] = 600.0
    every: Annotated[
        float, _of("work between two checkpoints", "twice an hour: `remediation.policy.economy.lost_work`", 1)
    ] = 1800.0
    write: Annotated[
        float, _of("that a checkpoint asked for holds up", "`remediation.policy.economy.checkpoint`")
    ] = 60.0
    seen: Annotated[
        Annotated[float, Meta(le=1)],
        _of("share of hard faults that telemetry names", f"{_TRACE}: 214 of 486 name their hardware"),
    ] = 0.44
    told: Annotated[
        float, _of("until a verdict tells of a hard fault", "a period, a window and the lateness, 10 s each")
    ] = 30.0
    hung: Annotated[
        float, _of("until a verdict names who hangs", "`detect.hang.after`, a window and the lateness")
    ] = 320.0
    false: Annotated[
        float,
        _of("false accusations", "five times `detect.budget`; of 20,000 simulated node-days so far: 0.05"),
    ] = 0.05
    clear: Annotated[float, _of("until an accusation is taken back", "`detect.clear`: 60 windows of 10 s")] = 600.0
    mended: Annotated[float, _of("median until a person gives a wrongly taken node back", _OURS)] = 12 * HOUR

    def __post_init__(self) -> None:
        """Refuse shares and ranges that contradict each other."""
        if self.slow + self.hang > 1:
            raise ValueError(f"slow + hang is {self.slow + self.hang:g}, expected at most 1: they are shares")
        if self.passing_least > self.passing_most or self.excess_least > self.excess_most:
            raise ValueError("the least of a range is above its most")

    @property
    def seconds(self) -> float:
        """How long the job lasts."""
        return self.days * DAY


def sources(given: Assumptions) -> list[tuple[str, str, str, str]]:
    """Name, value, what it is, and where it is from, of every assumption."""
    found = []
    for field in msgspec.structs.fields(Assumptions):
        meta = _last(field.type)
        found.append(
            (field.name, f"{getattr(given, field.name):g}", meta.description or "", (meta.extra or {})["source"])
        )
    return found


def _last(annotated: object) -> Meta:
    metas: tuple[Meta, ...] = annotated.__metadata__  # type: ignore[attr-defined]
    return metas[-1]
