"""Groups of the embedded bus: who is alive, and which partitions are whose.

Members write at each heartbeat until when they count as alive, on the machine's monotonic clock, beside the id
of its boot: after a reboot nobody of before counts. Every member computes the same assignment from the same
table. A partition changes hands as in Kafka's cooperative groups: its owner gives it up at its own next poll, or
is taken for dead; so it has one owner at a time. A claim has a number, and a commit counts only under the number
that it was polled under.
"""

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guard.bus import Place, Topic

_PARTITIONS = {Topic.TELEMETRY: 4, Topic.VERDICTS: 4, Topic.STATE: 4, Topic.SNAPSHOTS: 4}
"""Topics not named here have one. Fixed: more would move keys to other partitions."""

Claims = dict[Place, int]
"""Partition to number of the claim."""


def partitions(topic: Topic) -> int:
    """How many partitions a topic has."""
    return _PARTITIONS.get(topic, 1)


def partition_of(topic: Topic, key: bytes) -> int:
    """The partition of a key, always the same one: that keeps a key's records in order."""
    return zlib.crc32(key) % partitions(topic)


def boot_id() -> str:
    """What tells this boot of the machine from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Member:
    """One consumer of a group. ``boot`` is ``boot_id()``."""

    group: str
    name: str
    topics: frozenset[Topic]
    boot: str


def assignment(members: Sequence[tuple[str, frozenset[Topic]]]) -> dict[Place, str]:
    """Each topic's partitions, dealt out in turn to the members that follow it.

    ``members`` stand in the order in which they joined: who comes later takes nothing from the first of a topic
    that has one partition.
    """
    dealt: dict[Place, str] = {}
    for topic in Topic:
        names = [name for name, topics in members if topic in topics]
        if names:
            dealt |= {(topic, part): names[part % len(names)] for part in range(partitions(topic))}
    return dealt


def heartbeat(connection: sqlite3.Connection, member: Member, now: float, timeout: float) -> Claims:
    """Say that ``member`` lives until ``now + timeout``, forget who does not, and return what it holds.

    ``now`` is the monotonic clock, read inside the transaction: a heartbeat of another process may have come
    first while this one waited for the lock.
    """
    group, name = member.group, member.name
    changed = connection.execute(
        "DELETE FROM member WHERE grp = ? AND name != ? AND (boot != ? OR until < ?)",
        (group, name, member.boot, now),
    ).rowcount
    known = connection.execute(
        "UPDATE member SET until = ? WHERE grp = ? AND name = ?", (now + timeout, group, name)
    ).rowcount
    if not known:
        connection.execute(
            "INSERT INTO member (grp, name, topics, boot, until) VALUES (?, ?, ?, ?, ?)",
            (group, name, " ".join(sorted(member.topics)), member.boot, now + timeout),
        )
        changed += 1
    changed += connection.execute(
        "DELETE FROM owner WHERE grp = ? AND name NOT IN (SELECT name FROM member WHERE grp = ?)", (group, group)
    ).rowcount
    changed += _exchange(connection, group, name)
    if changed:
        _turn(connection, group)
    return claims(connection, group, name)


def leave(connection: sqlite3.Connection, group: str, name: str) -> None:
    """Give up everything at once."""
    connection.execute("DELETE FROM owner WHERE grp = ? AND name = ?", (group, name))
    connection.execute("DELETE FROM member WHERE grp = ? AND name = ?", (group, name))
    _turn(connection, group)


def claims(connection: sqlite3.Connection, group: str, name: str) -> Claims:
    """What ``name`` holds now."""
    rows = connection.execute("SELECT topic, part, claim FROM owner WHERE grp = ? AND name = ?", (group, name))
    return {(Topic(topic), part): claim for topic, part, claim in rows}


def generation(connection: sqlite3.Connection, group: str) -> int:
    """A number that grows whenever a member or an owner of the group changes."""
    row = connection.execute("SELECT generation FROM turn WHERE grp = ?", (group,)).fetchone()
    return int(row[0]) if row else 0


def _exchange(connection: sqlite3.Connection, group: str, name: str) -> int:
    """Give up what is meant for others, take what is meant for us and nobody's; how many changed hands."""
    rows = connection.execute("SELECT name, topics FROM member WHERE grp = ? ORDER BY place", (group,)).fetchall()
    meant = assignment([(who, frozenset(map(Topic, topics.split()))) for who, topics in rows])
    owned = connection.execute("SELECT topic, part, name FROM owner WHERE grp = ?", (group,)).fetchall()
    owners = {(Topic(topic), part): who for topic, part, who in owned}
    given = [place for place, who in owners.items() if who == name and meant.get(place) != name]
    taken = [place for place, who in meant.items() if who == name and place not in owners]
    connection.executemany(
        "DELETE FROM owner WHERE grp = ? AND topic = ? AND part = ?",
        [(group, topic, part) for topic, part in given],
    )
    claim = generation(connection, group) + 1
    connection.executemany(
        "INSERT INTO owner VALUES (?, ?, ?, ?, ?)", [(group, topic, part, name, claim) for topic, part in taken]
    )
    return len(given) + len(taken)


def _turn(connection: sqlite3.Connection, group: str) -> None:
    connection.execute(
        "INSERT INTO turn VALUES (?, 1) ON CONFLICT (grp) DO UPDATE SET generation = generation + 1", (group,)
    )
