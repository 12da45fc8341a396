"""Whom a record is about, as far as it says so: enough to choose records by, whatever their topic."""

from dataclasses import dataclass

import msgspec
from msgspec import Struct

from guard.bus import Message


class _Job(Struct):
    id: str


class _Named(Struct):
    cluster: str | None = None
    node: str | None = None
    job: _Job | str | None = None


_decoder = msgspec.json.Decoder(_Named)


@dataclass(frozen=True, slots=True)
class Choice:
    """Records wanted; None: whatever it says there."""

    cluster: str | None = None
    job: str | None = None
    node: str | None = None

    def takes(self, message: Message) -> bool:
        """Whether a record is about these.

        By its fields; a record that has none of them (a snapshot, a dead letter, a deletion, what cannot be read)
        by its key, cluster/job or cluster/node.
        """
        if self == _ANY:
            return True
        named = _named(message.value)
        if named is None:
            cluster, _, name = message.key.partition("/")
            return self.cluster in (None, cluster) and self.job in (None, name) and self.node in (None, name)
        job = named.job.id if isinstance(named.job, _Job) else named.job
        return (
            self.cluster in (None, named.cluster) and self.job in (None, job) and self.node in (None, named.node)
        )


_ANY = Choice()


def _named(value: bytes | None) -> _Named | None:
    if value is None:
        return None
    try:
        named = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if named == _Named() else named
