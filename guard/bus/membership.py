"""Groups of the embedded bus: who is alive, and which partitions are whose.

Members write a heartbeat at each poll. The time is the machine's monotonic clock, beside the id of its boot: after
a reboot nobody of before counts. Every member computes the same assignment from the same table.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from guard.bus import Topic

PARTITIONS = {Topic.TELEMETRY: 4, Topic.VERDICTS: 4, Topic.STATE: 4, Topic.SNAPSHOTS: 4}
"""Topics not named here have one. Fixed: more would move keys to other partitions."""

Held = frozenset[tuple[Topic, int]]


def boot_id() -> str:
    """What tells this boot of the machine from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Member:
    """One consumer of a group. ``topics`` are parted by blanks; ``boot`` is ``boot_id()``."""

    group: str
    name: str
    topics: str
    boot: str


def heartbeat(connection: sqlite3.Connection, member: Member, now: float, timeout: float) -> Held:
    """Say that ``member`` lives, forget who does not, and return the partitions that are its own."""
    connection.execute(
        "DELETE FROM member WHERE grp = ? AND (boot != ? OR seen < ? OR seen > ?)",
        (member.group, member.boot, now - timeout, now),
    )
    row = (member.group, member.name, member.topics, member.boot, now)
    connection.execute("INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?)", row)
    return held(connection, member.group, member.name)


def held(connection: sqlite3.Connection, group: str, name: str) -> Held:
    """The partitions of ``name``: each topic's, dealt out in turn to the members that follow it, by name."""
    rows = connection.execute("SELECT name, topics FROM member WHERE grp = ? ORDER BY name", (group,)).fetchall()
    mine = set()
    for topic in Topic:
        members = [member for member, topics in rows if topic in topics.split()]
        if name in members:
            place = members.index(name)
            mine |= {(topic, part) for part in range(place, PARTITIONS.get(topic, 1), len(members))}
    return frozenset(mine)
