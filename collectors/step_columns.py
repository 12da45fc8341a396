"""From rings to the columns ``job``, ``ranks`` and ``steps`` of the telemetry record. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from collectors.reading import Now, Reading
from collectors.ring_file import Steps
from collectors.telemetry import Index, Job, Ranks, Value
from collectors.telemetry import Steps as Columns
from guard import ring

_STEP, _START, _END, _WORK, _SPENT = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class Seen:
    """One ring as it was read, and whether its writer lives."""

    name: str
    steps: Steps
    alive: bool


def fold(seen: list[Seen], refused: Mapping[str, str], now: Now) -> Reading:
    """The node's job, its ranks and their steps. Rings that cannot be used are named in the notes."""
    notes = {f"steps.{name[:80]}": reason for name, reason in list(refused.items())[:_MOST_NOTES]}
    if len(refused) > _MOST_NOTES:
        notes["steps.refused"] = f"{len(refused)} rings cannot be read"
    jobs = _jobs([one for one in seen if one.alive]) or _jobs(seen)
    if len(jobs) > 1:
        notes["steps"] = f"rings of {len(jobs)} jobs at once: {', '.join(sorted(jobs))[:200]}"
        return Reading(notes=notes)
    if not jobs:
        return Reading(notes=notes)
    ours = _newest_attempt([one for one in seen if one.steps.header.owner.job in jobs])
    owner = ours[0].steps.header.owner
    if not owner.job:
        notes["steps.job"] = "the rings name no job: set GUARD_JOB_ID"
    for count, what in ((_lost(ours), "overwritten before they were read"), (_refused(ours), "not readable")):
        if count:
            notes[f"steps.{what.split()[0]}"] = f"{count} steps {what}"
    return Reading(
        job=Job(owner.job, owner.attempt, owner.job_name or None) if owner.job else None,
        ranks=_ranks([one.steps.header.owner.place for one in ours]),
        steps=_columns(ours, now),
        leaving=bool(owner.job) and all(one.steps.header.closed and not one.alive for one in ours),
        notes=notes,
    )


_MOST_NOTES = 8


def _jobs(seen: list[Seen]) -> set[str]:
    return {one.steps.header.owner.job for one in seen}


def _newest_attempt(seen: list[Seen]) -> list[Seen]:
    """A ring per rank, of the newest attempt; where a rank opened two, the living one, else the later one."""
    newest = max(one.steps.header.owner.attempt for one in seen)
    ours = [one for one in seen if one.steps.header.owner.attempt == newest]
    ours.sort(key=lambda one: (one.alive, one.steps.header.owner.created))
    by_rank = {one.steps.header.owner.place.rank: one for one in ours}
    return [by_rank[rank] for rank in sorted(by_rank)]


def _lost(seen: list[Seen]) -> int:
    return sum(one.steps.lost for one in seen)


def _refused(seen: list[Seen]) -> int:
    return sum(one.steps.refused for one in seen)


def _ranks(places: list[ring.Place]) -> Ranks:
    columns = {
        axis: [getattr(place, axis) for place in places]
        for axis in ring.Place._fields
        if axis != "rank" and any(getattr(place, axis) is not None for place in places)
    }
    return Ranks([place.rank for place in places], **columns)


def _columns(seen: list[Seen], now: Now) -> Columns:
    entries = [one.steps.entries for one in seen]
    lasts = [one.steps.last for one in seen]
    headers = [one.steps.header for one in seen]
    names = sorted({name for header in headers for name in header.sections})
    synced = {header.owner.synced for header in headers}
    clock = now.wall - now.monotonic
    saved = [header.checkpoint_step is not None for header in headers]
    return Columns(
        count=[len(steps) for steps in entries],
        first_step=[int(steps[0][_STEP]) if steps else None for steps in entries],
        last_step=[int(last[_STEP]) if last else None for last in lasts],
        last_end=[last[_END] / 1e9 + clock if last else None for last in lasts],
        duration=[_seconds((step[_END] - step[_START] for step in steps), sum) for steps in entries],
        slowest=[_seconds((step[_END] - step[_START] for step in steps), max) for steps in entries],
        work=_known([sum(step[_WORK] for step in steps) or None for steps in entries]),
        sections={name: [_section(one, name, sum) for one in seen] for name in names} or None,
        peak={name: [_section(one, name, max) for one in seen] for name in names} or None,
        synced=synced.pop() if len(synced) == 1 else None,
        current=[header.section for header in headers],
        current_age=[max(0.0, now.monotonic - header.section_since / 1e9) for header in headers],
        alive=[one.alive for one in seen],
        checkpoint_step=_known_index([header.checkpoint_step for header in headers]),
        checkpoint_end=_known(
            [h.checkpoint_end / 1e9 + clock if was else None for h, was in zip(headers, saved, strict=True)]
        ),
        resumed_step=_known_index([header.resumed_step for header in headers]),
    )


def _section(one: Seen, name: str, fold_with: Callable[[Iterable[float]], float]) -> Value:
    """Seconds in a section. Null where no step of the period entered it: not measured is not zero."""
    if name not in one.steps.header.sections:
        return None
    at = _SPENT + one.steps.header.sections.index(name)
    return _seconds((step[at] for step in one.steps.entries if step[at]), fold_with)


def _seconds(nanoseconds: Iterable[float], fold_with: Callable[[Iterable[float]], float]) -> Value:
    lengths = list(nanoseconds)
    return fold_with(lengths) / 1e9 if lengths else None


def _known(column: list[Value]) -> list[Value] | None:
    return column if any(value is not None for value in column) else None


def _known_index(column: list[Index]) -> list[Index] | None:
    return column if any(value is not None for value in column) else None
