"""A plan for people, as a table with notes; and for programs, as JSON."""

import json
from collections.abc import Iterator

import msgspec

from detectors.plain import plain
from guard.grid import Cell, Row, grid
from guard.topics.plan import Plan
from guard.topics.wanted import Wanted

SCHEMA = "guard.topics/1"
_LENGTHS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"))


def table(plan: Plan, *, width: int | None, color: bool) -> str:
    """Every difference in a row, and below why some of them are left alone."""
    if not plan.differs:
        return "The topics are as they should be."
    notes = list(dict.fromkeys((refusal.reason, refusal.remedy) for refusal in plan.refusals))
    rows = [*_creations(plan), *_changes(plan), *_refusals(plan, notes)]
    lines = [grid(("topic", "what", "now", "wanted", "apply"), rows, width=width, color=color), ""]
    lines += [
        f"[{number}] {plain(reason)}; instead: {plain(remedy)}" for number, (reason, remedy) in enumerate(notes, 1)
    ]
    return "\n".join([*lines, summary(plan)])


def summary(plan: Plan) -> str:
    """One line that counts."""
    counts = (
        (len(plan.creations), "to create"),
        (len(plan.growths), "to get partitions"),
        (len(plan.changes), "settings to change"),
        (len(plan.refusals), "left alone"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count) + "."


def document(plan: Plan) -> str:
    """The plan as one JSON object, in ASCII."""
    fields = {
        "schema": SCHEMA,
        "differs": plan.differs,
        "create": msgspec.to_builtins(plan.creations),
        "grow": msgspec.to_builtins(plan.growths),
        "change": msgspec.to_builtins(plan.changes),
        "left_alone": msgspec.to_builtins(plan.refusals),
    }
    return json.dumps(fields, sort_keys=True)


def _creations(plan: Plan) -> Iterator[Row]:
    for topic in plan.creations:
        yield (plain(topic.name), "topic", "-", _shape(topic), Cell("create", "green"))


def _shape(topic: Wanted) -> str:
    """What matters about a new topic, in a few words."""
    configs = topic.configs
    partitions = "1 partition" if topic.partitions == 1 else f"{topic.partitions} partitions"
    kept = "compacted"
    if configs["cleanup.policy"] == "delete":
        age, size = configs["retention.ms"], configs["retention.bytes"]
        kept = "for ever" if age == "-1" else readable("retention.ms", age)
        kept += f" or {readable('retention.bytes', size)} each" if size != "-1" else ""
    copies = (
        "1 copy"
        if topic.replication == 1
        else f"{topic.replication} copies, {configs['min.insync.replicas']} in sync"
    )
    return f"{partitions}, {copies}, {kept}"


def _changes(plan: Plan) -> Iterator[Row]:
    for growth in plan.growths:
        yield (plain(growth.name), "partitions", str(growth.have), str(growth.want), Cell("add", "green"))
    for change in plan.changes:
        done = Cell("set, LOSES RECORDS", "bold red") if change.loses else Cell("set", "green")
        have, want = readable(change.key, change.have), readable(change.key, change.want)
        yield (plain(change.name), change.key, have, want, done)


def _refusals(plan: Plan, notes: list[tuple[str, str]]) -> Iterator[Row]:
    for refusal in plan.refusals:
        number = notes.index((refusal.reason, refusal.remedy)) + 1
        have, want = readable(refusal.what, refusal.have), readable(refusal.what, refusal.want)
        yield (plain(refusal.name), refusal.what, have, want, Cell(f"no [{number}]", "yellow"))


def readable(key: str, value: str) -> str:
    """A value of Kafka's configuration with its unit, where that is exact: ``6 h``, ``16 GiB``."""
    if not value.lstrip("-").isdecimal():
        return plain(value)
    number = int(value)
    if number < 0:
        return "no limit" if key.startswith("retention.") else value
    units = _LENGTHS if key.endswith(".ms") else _SIZES if key.endswith("bytes") else ()
    return next((f"{number // size} {unit}" for size, unit in units if number and number % size == 0), value)
