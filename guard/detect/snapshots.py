"""Snapshots on the bus: in chunks, and so that a crash between two of them leaves the last whole one readable.

A compacted topic keeps the newest record of a key. Snapshots of a job go by turns to two sets of keys, so that one
that is being written does not replace the one before it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from detectors.snapshot import Snapshot
from guard.bus import Message, Outgoing, Topic

CHUNK = 500_000
"""Bytes of a snapshot in one record, so that the record stays under 512 KB (the design's limit)."""

_MOST_CHUNKS = 4096
_TURNS = ("a", "b")


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One record of ``guard.snapshots``.

    Attributes:
        id: of the snapshot: a hash of all of it.
        number, of: which chunk this is, and how many there are.
        partition: of the telemetry that it stands for.
        cluster, job, offset: as in the snapshot.
        data: this part of its state.
    """

    id: str
    number: int
    of: int
    partition: int
    cluster: str
    job: str | None
    offset: int
    data: bytes


_decoder = msgspec.msgpack.Decoder(Chunk)
_Name = tuple[str, str | None]


class Shelf:
    """Which keys the snapshots of one partition are under, so that the next one takes the other set.

    Args:
        partition: of the telemetry.
        lies_in: the partition of ``guard.snapshots`` beside it.
    """

    def __init__(self, partition: int, lies_in: int) -> None:
        self._partition, self._lies_in = partition, lies_in
        self._turns: dict[_Name, str] = {}
        self._keys: dict[_Name, set[str]] = {}

    def put(self, snapshot: Snapshot) -> list[Outgoing]:
        """The records of a snapshot, or those that delete all of a job's."""
        name = (snapshot.cluster, snapshot.job)
        if snapshot.state is None:
            self._turns.pop(name, None)
            return [self._record(key, None) for key in sorted(self._keys.pop(name, ()))]
        turn = self._turns[name] = _TURNS[self._turns.get(name) == _TURNS[0]]
        parts = [snapshot.state[at : at + CHUNK] for at in range(0, len(snapshot.state), CHUNK)]
        identity = hashlib.blake2b(snapshot.state, digest_size=12, key=str(snapshot.offset).encode()).hexdigest()
        records = []
        for number, data in enumerate(parts):
            key = f"{_stem(name)}#{turn}{number}"
            self._keys.setdefault(name, set()).add(key)
            chunk = Chunk(identity, number, len(parts), self._partition, *name, snapshot.offset, data)
            records.append(self._record(key, msgspec.msgpack.encode(chunk)))
        return records

    def read(self, messages: Iterable[Message]) -> list[Snapshot]:
        """The newest whole snapshot of each job, of those that lie in the partition."""
        sets: dict[_Name, dict[str, _Set]] = {}
        newest: dict[str, tuple[_Name, str]] = {}
        for place, message in enumerate(messages):
            if message.value is None:
                name, identity = newest.pop(message.key, (("", None), ""))
                sets.get(name, {}).pop(identity, None)
                continue
            chunk = _decoded(message.value)
            if chunk is None or chunk.partition != self._partition:
                continue
            name = (chunk.cluster, chunk.job)
            self._keys.setdefault(name, set()).add(message.key)
            newest[message.key] = (name, chunk.id)
            turn = message.key[len(_stem(name)) + 1 :][:1]
            sets.setdefault(name, {}).setdefault(chunk.id, _Set(chunk.of, turn)).add(place, chunk)
        return [snapshot for name, found in sets.items() if (snapshot := self._newest(name, found)) is not None]

    def _newest(self, name: _Name, found: "dict[str, _Set]") -> Snapshot | None:
        whole = [one for one in found.values() if len(one.parts) == one.of]
        if not whole:
            return None
        # One that was late to notice that it had lost the partition may have written after its successor.
        last = max(whole, key=lambda one: (one.offset, one.place))
        self._turns[name] = last.turn
        state = b"".join(last.parts[number] for number in range(last.of))
        return Snapshot(*name, last.offset, state)

    def _record(self, key: str, value: bytes | None) -> Outgoing:
        return Outgoing(Topic.SNAPSHOTS, key, value, self._lies_in)


@dataclass
class _Set:
    of: int
    turn: str
    place: int = 0
    offset: int = 0
    parts: dict[int, bytes] = field(default_factory=dict)

    def add(self, place: int, chunk: Chunk) -> None:
        self.place, self.offset = place, chunk.offset
        self.parts[chunk.number] = chunk.data


def _stem(name: _Name) -> str:
    cluster, job = name
    return f"{cluster}/" if job is None else f"{cluster}/{job}"


def _decoded(value: bytes) -> Chunk | None:
    """A chunk, or None: whatever else lies there is not ours to read."""
    try:
        chunk = _decoder.decode(value)
    except (msgspec.DecodeError, ValueError):
        return None
    return chunk if 0 <= chunk.number < chunk.of <= _MOST_CHUNKS else None
