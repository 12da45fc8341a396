"""A record as one line for people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

from collectors.telemetry import RecordError, Telemetry
from collectors.telemetry import decode as decode_telemetry
from detectors.plain import evidence, moment, plain, seconds, share
from detectors.verdict import JobStatus, Status, Verdict
from detectors.verdict import decode as decode_saying
from guard import deadletter
from guard.bus import Message, Topic

_FIELDS = 16
"""Fields shown of a record whose form is not known here."""


class Tone(StrEnum):
    """How a line should look."""

    PLAIN = "plain"
    GOOD = "good"
    NOTABLE = "notable"
    BAD = "bad"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Line:
    """When the bus took the record, whom it is about, and what it says; nothing in it steers a terminal."""

    time: str
    about: str
    text: str
    tone: Tone = Tone.PLAIN


_TONES = {
    Status.OK: Tone.GOOD,
    Status.WATCH: Tone.NOTABLE,
    Status.STRAGGLER: Tone.BAD,
    Status.FAULT: Tone.BAD,
    Status.SILENT: Tone.NOTABLE,
    JobStatus.NORMAL: Tone.GOOD,
    JobStatus.SLOW: Tone.NOTABLE,
    JobStatus.HUNG: Tone.BAD,
    JobStatus.STARTING: Tone.PLAIN,
    JobStatus.ENDED: Tone.PLAIN,
}


def readable(message: Message) -> Line:
    """Say what a record says. One that cannot be read gives a line that says why."""
    when = moment(message.time)
    if message.value is None:
        return Line(when, plain(message.key), "deleted")
    try:
        about, text, tone = _READERS.get(message.position.topic, _any)(message.key, message.value)
    except RecordError as error:
        return Line(when, plain(message.key), f"cannot be read: {plain(str(error))}", Tone.UNREADABLE)
    return Line(when, about, text, tone)


Told = tuple[str, str, Tone]


def _telemetry(_key: str, value: bytes) -> Told:
    record = decode_telemetry(value)
    parts = [*_steps(record), *_troubles(record)]
    job = f" job {plain(record.job.id)}" if record.job else " idle"
    tone = Tone.BAD if record.faults else Tone.NOTABLE if record.gaps else Tone.PLAIN
    about = f"{plain(record.cluster)}/{plain(record.node)}{job}"
    return about, f"#{record.seq} " + ("; ".join(parts) or "no steps"), tone


def _steps(record: Telemetry) -> Iterator[str]:
    """Means over the ranks: what a person wants at a glance."""
    steps = record.steps
    if steps is None or record.ranks is None:
        return
    ranks = "1 rank" if len(record.ranks.rank) == 1 else f"{len(record.ranks.rank)} ranks"
    counted = [count or 0 for count in steps.count]
    if not any(counted):
        yield f"{ranks}, no step ended"
        return
    last = max((number for number in steps.last_step or [] if number is not None), default=None)
    yield f"{ranks}, {max(counted)} steps" + ("" if last is None else f" to {last}")
    if steps.duration:
        yield f"step {_mean(steps.duration, counted)}"
    shown = ((name, _mean(column, counted)) for name, column in (steps.sections or {}).items())
    sections = ", ".join(f"{plain(name)} {mean}" for name, mean in shown if mean != "-")
    if sections:
        yield sections


def _mean(sums: list[float | None], counts: list[int]) -> str:
    known = [(total, count) for total, count in zip(sums, counts, strict=False) if total is not None and count]
    return seconds(sum(total for total, _ in known) / sum(count for _, count in known)) if known else "-"


def _troubles(record: Telemetry) -> Iterator[str]:
    if record.faults:
        yield "FAULT " + ", ".join(plain(fault.code) for fault in record.faults[:3])
    if record.gaps:
        yield "gaps: " + ", ".join(plain(name) for name in sorted(record.gaps)[:5])
    if record.leaving:
        yield "leaving"


def _saying(_key: str, value: bytes) -> Told:
    said = decode_saying(value)
    if isinstance(said, Verdict):
        words = [said.status.value, said.role or "", said.cause or ""]
        device = "" if said.device is None else f" device {said.device}"
        parts = [" ".join(word for word in words if word) + device]
        parts += [f"costs {share(said.slowdown)} of the step"] if said.slowdown is not None else []
        parts += [f"{share(said.confidence)} sure"] if said.status is not Status.OK else []
        parts += [evidence(said.evidence[0])] if said.evidence else []
        job = f" job {plain(said.job.id)}" if said.job else ""
        about = f"{plain(said.cluster)}/{plain(said.node)}{job}"
        return about, "; ".join(parts), _TONES[said.status]
    parts = [said.status.value, f"step {seconds(said.step_time)}, usually {seconds(said.baseline)}"]
    parts += [f"{said.nodes} nodes"]
    parts += [f"accused: {', '.join(plain(name) for name in said.accused[:5])}"] if said.accused else []
    parts += [plain(said.reason)] if said.reason else []
    return f"job {plain(said.cluster)}/{plain(said.job)}", "; ".join(parts), _TONES[said.status]


def _letter(key: str, value: bytes) -> Told:
    letter = deadletter.decode(value)
    place = f"{plain(letter.topic)} {letter.partition}:{letter.offset}"
    return plain(key), f"{place}: {plain(letter.reason)}", Tone.NOTABLE


def _snapshot(key: str, value: bytes) -> Told:
    return plain(key), f"{len(value):,} bytes", Tone.PLAIN


def _any(key: str, value: bytes) -> Told:
    """Orders and the ledger: the fields as they are."""
    try:
        content: Any = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(str(error)) from error
    if not isinstance(content, dict):
        return plain(key), plain(str(content)), Tone.PLAIN
    shown = [f"{plain(name)}={_short(field)}" for name, field in islice(content.items(), _FIELDS)]
    return plain(key), " ".join([*shown, "…"] if len(content) > _FIELDS else shown), Tone.PLAIN


def _short(field: object) -> str:
    return plain(field if isinstance(field, str) else msgspec.json.encode(field).decode())


_READERS: dict[Topic, Callable[[str, bytes], Told]] = {
    Topic.TELEMETRY: _telemetry,
    Topic.VERDICTS: _saying,
    Topic.STATE: _saying,
    Topic.DEADLETTER: _letter,
    Topic.SNAPSHOTS: _snapshot,
}
