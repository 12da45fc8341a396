"""The columns of every table: name, kind and meaning. `docs/export.md` has the same; a test compares."""

from dataclasses import dataclass
from enum import StrEnum

from guard.bus import Topic


class Kind(StrEnum):
    """What a column holds. All may be empty: unknown is not zero."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    TRUTH = "true or false"
    MOMENT = "time, UTC"
    JSON = "text, JSON"


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    kind: Kind
    meaning: str


SECTIONS = ("data", "compute", "collective", "host", "checkpoint")
"""The reserved parts of a step; a column each."""
LAYOUT = ("local_rank", "device", "stage", "dp", "tp", "ep", "cp")

_PLACE = (
    Column("taken", Kind.MOMENT, "when the bus took the record"),
    Column("partition", Kind.WHOLE, "where it stands on the bus"),
    Column("offset", Kind.WHOLE, "where it stands in its partition"),
)

_TELEMETRY = (
    *_PLACE,
    Column("cluster", Kind.TEXT, "the fleet"),
    Column("node", Kind.TEXT, "the scheduler's name of the node"),
    Column("instance", Kind.TEXT, "the hardware"),
    Column("boot", Kind.TEXT, "one start of the agent"),
    Column("seq", Kind.WHOLE, "the record's number since then"),
    Column("time", Kind.MOMENT, "the end of the period, by the node's clock"),
    Column("period", Kind.NUMBER, "its length in seconds"),
    Column("job", Kind.TEXT, "the training job; empty: idle"),
    Column("attempt", Kind.WHOLE, "which attempt of the job"),
    Column("leaving", Kind.TRUTH, "the node's last record for the job"),
    Column("labels", Kind.JSON, "where the node sits"),
    Column("rank", Kind.WHOLE, "the rank; empty: the node has none, and this is its only row"),
    *(Column(name, Kind.WHOLE, "where the rank sits in the parallel layout") for name in LAYOUT),
    Column("count", Kind.WHOLE, "steps that ended in the period"),
    Column("first_step", Kind.WHOLE, "the number of the first"),
    Column("last_step", Kind.WHOLE, "the number of the last"),
    Column("last_end", Kind.MOMENT, "when the last ended"),
    Column("duration", Kind.NUMBER, "seconds, the sum over these steps"),
    Column("slowest", Kind.NUMBER, "seconds of the longest step"),
    Column("work", Kind.NUMBER, "summed work: tokens, or what the program counts"),
    *(Column(name, Kind.NUMBER, f"seconds in the section {name}, the sum") for name in SECTIONS),
    Column("other_sections", Kind.JSON, "seconds in the program's own sections, the sum of each"),
    *(Column(f"peak_{name}", Kind.NUMBER, f"seconds in {name}, the most of one step") for name in SECTIONS),
    Column("synced", Kind.TRUTH, "the program synchronises at the ends of sections"),
    Column("current", Kind.TEXT, "the section the rank was in"),
    Column("current_age", Kind.NUMBER, "for so many seconds"),
    Column("alive", Kind.TRUTH, "the training process lived"),
    Column("checkpoint_step", Kind.WHOLE, "step of the newest checkpoint written"),
    Column("checkpoint_end", Kind.MOMENT, "when that was written"),
    Column("resumed_step", Kind.WHOLE, "the step that this attempt started from"),
    Column("gauges", Kind.JSON, "means over the period; on the record's first row only"),
    Column("counters", Kind.JSON, "increases in the period; on the first row only"),
    Column("faults", Kind.JSON, "hard errors reported in the period; on the first row only"),
    Column("gaps", Kind.JSON, "collectors that gave nothing, and why; on the first row only"),
)

_SAYINGS = (
    *_PLACE,
    Column("kind", Kind.TEXT, "node or job: whom the record is about"),
    Column("id", Kind.TEXT, "a repeat of the same conclusion has the same"),
    Column("cluster", Kind.TEXT, "the fleet"),
    Column("node", Kind.TEXT, "the node; empty for a job"),
    Column("instance", Kind.TEXT, "its hardware"),
    Column("job", Kind.TEXT, "the job"),
    Column("attempt", Kind.WHOLE, "which attempt of it; empty for a job"),
    Column("time", Kind.MOMENT, "when it was concluded"),
    Column("since", Kind.MOMENT, "since when it holds"),
    Column("status", Kind.TEXT, "what is said"),
    Column("role", Kind.TEXT, "the node's part in it"),
    Column("cause", Kind.TEXT, "what kind of trouble"),
    Column("device", Kind.WHOLE, "index of the device at fault"),
    Column("slowdown", Kind.NUMBER, "share of the step time that it costs"),
    Column("severity", Kind.TEXT, "how soon to act"),
    Column("confidence", Kind.NUMBER, "0 to 1"),
    Column("evidence", Kind.JSON, "the signals, strongest first"),
    Column("step_time", Kind.NUMBER, "seconds; of a job"),
    Column("baseline", Kind.NUMBER, "seconds that a step usually takes; of a job"),
    Column("nodes", Kind.WHOLE, "how many; of a job"),
    Column("accused", Kind.JSON, "names of nodes; of a job"),
    Column("reason", Kind.TEXT, "why nobody is accused; of a job"),
)

_LETTERS = (
    *_PLACE,
    Column("topic", Kind.TEXT, "where the record stood that could not be read"),
    Column("of_partition", Kind.WHOLE, "its partition"),
    Column("of_offset", Kind.WHOLE, "its offset"),
    Column("key", Kind.TEXT, "its key"),
    Column("reason", Kind.TEXT, "why it could not be read"),
    Column("size", Kind.WHOLE, "its length in bytes"),
    Column("value", Kind.TEXT, "its first 4,096 bytes in base64"),
)

_ANY = (
    *_PLACE,
    Column("key", Kind.TEXT, "the record's key"),
    Column("value", Kind.JSON, "the record"),
)

COLUMNS = {
    Topic.TELEMETRY: _TELEMETRY,
    Topic.VERDICTS: _SAYINGS,
    Topic.STATE: _SAYINGS,
    Topic.DEADLETTER: _LETTERS,
    Topic.LEDGER: _ANY,
    Topic.CONTROL: _ANY,
}
"""What can be a table. Snapshots are a detector's own, and no table."""
