"""The difference between the topics that should be and those that are. Pure: it decides, and `admin` does.

Never in a plan: deleting a topic, fewer partitions, more partitions where that would part a key's records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guard.bus import Topic
from guard.topics.wanted import Wanted

_RETENTION = ("retention.ms", "retention.bytes")
_AT_LEAST = frozenset({"max.message.bytes"})
"""What may be more than is wanted: lowering it would refuse records that are taken now."""
_MAY_GROW = frozenset({Topic.VERDICTS, Topic.DEADLETTER})
"""Where nobody relies on a key staying in its partition. A compacted one would keep the old record for ever."""
_UNBOUNDED = -1
_START_OVER = (
    "stop agents and detectors, delete the topics of telemetry and snapshots (jobs start over), and apply again"
)


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as it is. ``configs`` is what holds, wherever it was set."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Growth:
    """Partitions to add."""

    name: str
    have: int
    want: int


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration to set. ``loses``: records that are there now may be deleted by it."""

    name: str
    key: str
    have: str
    want: str
    loses: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A difference that is left alone: why, and what to do instead."""

    name: str
    what: str
    have: str
    want: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order, and what not to do."""

    creations: tuple[Wanted, ...] = ()
    growths: tuple[Growth, ...] = ()
    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def acts(self) -> int:
        """How many things there are to do."""
        return len(self.creations) + len(self.growths) + len(self.changes)

    @property
    def differs(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.acts or self.refusals)


def plan(wanted: Sequence[Wanted], existing: Mapping[str, Existing], *, allow_loss: bool = False) -> Plan:
    """Compare.

    Args:
        wanted: every topic as it should be.
        existing: topics that are there, by name; others than the wanted ones are nobody's business here.
        allow_loss: set a shorter retention or another cleanup policy, too. What is older then goes for good.
    """
    telemetry = _beside(wanted, existing)
    creations, growths, changes, refusals = [], [], [], []
    for topic in wanted:
        want = topic if telemetry is None or topic.topic is not Topic.SNAPSHOTS else _as_many(topic, telemetry)
        have = existing.get(topic.name)
        if have is None:
            creations.append(want)
            continue
        for difference in (*_partitions(want, have), *_replication(want, have), *_configs(want, have)):
            if isinstance(difference, Growth):
                growths.append(difference)
            elif isinstance(difference, Refusal):
                refusals.append(difference)
            elif difference.loses and not allow_loss:
                refusals.append(_loss(difference))
            else:
                changes.append(difference)
    return Plan(tuple(creations), tuple(growths), tuple(changes), tuple(refusals))


def _beside(wanted: Sequence[Wanted], existing: Mapping[str, Existing]) -> int | None:
    """Partitions of the telemetry that is there: snapshots go by it, not by what the configuration would like."""
    names = [topic.name for topic in wanted if topic.topic is Topic.TELEMETRY]
    return existing[names[0]].partitions if names and names[0] in existing else None


def _as_many(topic: Wanted, partitions: int) -> Wanted:
    return Wanted(topic.topic, topic.name, partitions, topic.replication, topic.configs)


def _partitions(want: Wanted, have: Existing) -> tuple[Growth | Refusal, ...]:
    if want.partitions == have.partitions:
        return ()
    if want.partitions > have.partitions and want.topic in _MAY_GROW:
        return (Growth(want.name, have.partitions, want.partitions),)
    reason, remedy = _why_not(want, have)
    return (Refusal(want.name, "partitions", str(have.partitions), str(want.partitions), reason, remedy),)


def _why_not(want: Wanted, have: Existing) -> tuple[str, str]:
    match want.topic:
        case Topic.TELEMETRY:
            key = "telemetry_partitions"
            reason = (
                "the records of a job would lie in two partitions" if want.partitions > have.partitions else ""
            )
            instead = f"; to grow, {_START_OVER}"
        case Topic.SNAPSHOTS:
            return (
                "a snapshot lies in the partition of its telemetry",
                f"stop the detectors, delete {want.name} (jobs start over), and apply again",
            )
        case Topic.LEDGER | Topic.CONTROL:
            return (
                "its records have one order, which several partitions do not keep",
                "somebody made it by hand: stop guard's services, move its records to a topic of one partition",
            )
        case _:
            key, instead = "other_partitions", ""
            reason = (
                "a key's old record would stay in its old partition" if want.partitions > have.partitions else ""
            )
    return reason or "Kafka cannot take partitions away", f"set topics.{key}: {have.partitions}{instead}"


def _replication(want: Wanted, have: Existing) -> tuple[Refusal, ...]:
    if want.replication == have.replication:
        return ()
    return (
        Refusal(
            want.name,
            "replication",
            str(have.replication),
            str(want.replication),
            "copying partitions between brokers loads them for long, at a time that you choose",
            f"kafka-reassign-partitions.sh, or set topics.replication: {have.replication}",
        ),
    )


def _configs(want: Wanted, have: Existing) -> tuple[Change | Refusal, ...]:
    return tuple(
        _config(have, key, have.configs.get(key), value)
        for key, value in want.configs.items()
        if not _satisfied(key, have.configs.get(key), value)
    )


def _config(topic: Existing, key: str, have: str | None, want: str) -> Change | Refusal:
    if have is None:
        return Refusal(topic.name, key, "-", want, "these brokers do not know it", "use Apache Kafka 2.1 or newer")
    if key == "min.insync.replicas" and int(want) > topic.replication:
        reason = f"with replication {topic.replication}, no record could be written any more"
        return Refusal(topic.name, key, have, want, reason, "raise the replication first")
    return Change(topic.name, key, have, want, loses=_loses(key, have, want))


def _satisfied(key: str, have: str | None, want: str) -> bool:
    if have is None:
        return False
    mine, wish = _number(have), _number(want)
    if mine is None or wish is None:
        return have == want
    return mine >= wish if key in _AT_LEAST else mine == wish


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _loses(key: str, have: str, want: str) -> bool:
    if key == "cleanup.policy":
        return True
    if key not in _RETENTION:
        return False
    mine, wish = _number(have), _number(want)
    if mine is None or wish is None:
        return True
    return wish != _UNBOUNDED and (mine == _UNBOUNDED or wish < mine)


def _loss(change: Change) -> Refusal:
    return Refusal(
        change.name,
        change.key,
        change.have,
        change.want,
        "records that are there now would be deleted",
        "add --allow-loss where that is meant, or set the configuration to what is there",
    )
