"""A week of jobs, drawn from a seed: the very records that would tell of it, on a file bus.

All times are whole seconds, so that a naive count over seconds is exact.
"""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import msgspec

from detectors.verdict import Saying, encode
from guard.bus import Outgoing, Topic
from guard.bus.file import FileBus
from remediation import ledger
from remediation.ledger import Act, Intent, Leader, Outcome, Record, Result

START = 1_790_000_000 // 86_400 * 86_400
WEEK = 7 * 86_400
END = START + WEEK
CLUSTER = "east"
LATE = 800.0
"""Seconds within which what is said is written together: a transaction for each would take a minute."""


@dataclass
class Week:
    """What was said and entered, in the order of happening within one job."""

    said: list[tuple[int, Saying]] = field(default_factory=list)
    entered: list[tuple[int, Record]] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)

    def name(self, what: str) -> str:
        return f"{what}-{next(self.numbers)}"

    def enter(self, time: int, kind: type[Record], **fields: object) -> str:
        """Into the ledger; gives the record's id."""
        name = self.name(kind.__name__.lower())
        self.entered.append((time, kind(id=name, cluster=CLUSTER, time=float(time), **fields)))
        return name

    def publish(self, path: Path) -> str:
        """Write everything to a bus at the time it happens; a second leader takes over in the middle."""
        now = [0.0]
        half = START + WEEK // 2
        happened: list[tuple[int, int, object]] = [(time, 1, saying) for time, saying in self.said]
        happened += [(time, 2, record) for time, record in self.entered]
        happened += [(time, 0, self._leader(time)) for time in (START - 3000, half)]
        epoch = None
        waiting: list[Outgoing] = []
        with FileBus(path, wall=lambda: now[0]) as bus:
            for time, kind, what in sorted(happened, key=lambda entry: entry[:2]):
                if waiting and (kind == 0 or time - now[0] > LATE):
                    bus.publish(waiting, 9)
                    waiting = []
                now[0] = now[0] if waiting else float(time)
                if kind == 1:
                    waiting += _told(what)
                elif kind == 2:
                    waiting.append(_entry(msgspec.structs.replace(what, epoch=epoch)))
                else:
                    before, epoch = epoch, bus.publish([_entry(what)], 9)[0].offset
                    if before is not None:
                        bus.publish([_entry(one) for one in self._stray(time, before)], 9)
            bus.publish(waiting, 9)
        return f"file:{path}"

    def _leader(self, time: int) -> Leader:
        return Leader(id=self.name("leader"), cluster=CLUSTER, time=float(time), process="one", deadline=60.0)

    def _stray(self, time: int, epoch: int) -> list[Record]:
        """What a leader writes who has not heard yet that it is none any more: it counts for nothing."""
        opened = next(record for _, record in self.entered if isinstance(record, ledger.Opened))
        stray = Intent(
            id="stray", cluster=CLUSTER, time=float(time), incident=opened.incident, epoch=epoch,
            act=Act.RESTART, subject="pretrain", restarts=99, expires=time + 60.0, deadline=60.0,
        )  # fmt: skip
        done = Outcome(
            id="done", cluster=CLUSTER, time=time + 1.0, epoch=epoch, intent=stray.id, result=Result.DONE
        )
        return [stray, done]


def _told(saying: Saying) -> list[Outgoing]:
    return [Outgoing(topic, saying.key, encode(saying)) for topic in (Topic.VERDICTS, Topic.STATE)]


def _entry(record: Record) -> Outgoing:
    return Outgoing(Topic.LEDGER, record.incident or CLUSTER, ledger.encode(record))
