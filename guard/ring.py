"""The step ring: the one definition of its layout, for the hook that writes and the collector that reads.

A ring is one file per rank: a header of 4,096 bytes and a fixed number of entries, one per finished step. All
numbers are little-endian 64-bit words. The writer maps the file and stores words; the reader uses ``pread``.

Why no reader ever sees half a step: the writer fills the slot first and raises ``Word.COUNT`` last, so an entry
that was cut off by ``kill -9`` is never counted. Entry *n* goes to slot *n mod capacity*; that slot is written
again only once the count has reached *n + capacity*. A reader that reads the count, then the slots, then the
count again keeps entry *n* only where *n + capacity* is above the second count. The entry's number stands at both
of its ends, so a slot torn in any other way (another program, a processor that reorders stores) is seen too.

Standard library only: this is imported by training programs.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

MAGIC = b"GUARDRNG"
VERSION = 1
CAPACITY = 2048
"""Steps that a ring holds: 10 s of steps of 5 ms. A reader that comes later counts what it lost."""
SECTIONS = 16
"""Named sections a ring can hold; time in further ones counts for none."""
NAME_BYTES = 64
JOB_BYTES = 256
HEADER_BYTES = 4096
SUFFIX = ".ring"
UNKNOWN = -1

SECTION_BITS = 6
"""``Word.CURRENT`` is one word, so that section and time cannot disagree: nanoseconds << 6 | section."""
SECTION_MASK = (1 << SECTION_BITS) - 1

_STATIC = struct.Struct(f"<8sIIII8q3qd{JOB_BYTES}s{JOB_BYTES}s")
_STATIC_AT = 0
_NAMES_AT = 1024
ENTRY = struct.Struct(f"<4qd{SECTIONS}qq")
"""number, step, start, end (monotonic nanoseconds), work (0: not said), a word per section, number again."""
ENTRY_BYTES = ENTRY.size
FILE_BYTES = HEADER_BYTES + CAPACITY * ENTRY_BYTES


class Word(IntEnum):
    """Where the words that change stand, in 8-byte words from the start of the file."""

    COUNT = 96
    CURRENT = 97
    CHECKPOINT_END = 98
    CHECKPOINT_STEP = 99
    RESUMED_STEP = 100
    SECTIONS = 101
    CLOSED = 102
    SECTIONS_REFUSED = 103


class RingError(ValueError):
    """The bytes are not a ring that this version can read. The text says why."""


class Place(NamedTuple):
    """Where a rank sits in the node and in the parallel layout. ``None``: not known."""

    rank: int
    local_rank: int | None = None
    device: int | None = None
    stage: int | None = None
    dp: int | None = None
    tp: int | None = None
    ep: int | None = None
    cp: int | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who writes a ring: fixed for its life. ``None`` and an empty text: not known."""

    place: Place
    job: str = ""
    job_name: str = ""
    attempt: int = 0
    pid: int = 0
    synced: bool | None = None
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Header:
    """A header as read: its owner and the words that change. Times in monotonic nanoseconds."""

    owner: Owner
    count: int
    section: str | None
    section_since: int
    checkpoint_step: int | None
    checkpoint_end: int
    resumed_step: int | None
    sections: tuple[str, ...]
    closed: bool


def blank(owner: Owner) -> bytes:
    """The header of a new ring."""
    raw = bytearray(HEADER_BYTES)
    _STATIC.pack_into(
        raw,
        _STATIC_AT,
        MAGIC,
        VERSION,
        HEADER_BYTES,
        ENTRY_BYTES,
        CAPACITY,
        *(UNKNOWN if value is None else value for value in owner.place),
        owner.attempt,
        owner.pid,
        UNKNOWN if owner.synced is None else int(owner.synced),
        owner.created,
        _fit(owner.job, JOB_BYTES),
        _fit(owner.job_name, JOB_BYTES),
    )
    for word in (Word.CHECKPOINT_STEP, Word.RESUMED_STEP):
        struct.pack_into("<q", raw, word * 8, UNKNOWN)
    return bytes(raw)


def name_section(index: int, name: str) -> tuple[int, bytes]:
    """The offset and the bytes that name section ``index`` (0-15) in the header."""
    return _NAMES_AT + index * NAME_BYTES, _fit(name, NAME_BYTES)


def read_header(raw: bytes) -> Header:
    """Decode a header. Its contents are taken as hostile.

    Raises:
        RingError: too short, not a ring, another version, or numbers that no writer stores.
    """
    if len(raw) < HEADER_BYTES:
        raise RingError(f"{len(raw)} bytes, a ring's header has {HEADER_BYTES}")
    magic, version, header, entry, capacity, *ranks, attempt, pid, synced, created, job, name = (
        _STATIC.unpack_from(raw, _STATIC_AT)
    )
    if magic != MAGIC:
        raise RingError("not a step ring")
    if version != VERSION:
        raise RingError(f"version {version}, this agent reads version {VERSION}: update the older of the two")
    if (header, entry, capacity) != (HEADER_BYTES, ENTRY_BYTES, CAPACITY):
        raise RingError("a ring of other dimensions")
    if not 0 <= ranks[0] < 1 << 31 or not 0 <= attempt < 1 << 31:
        raise RingError(f"rank {ranks[0]} and attempt {attempt} are out of range")
    owner = Owner(
        place=Place(ranks[0], *(value if 0 <= value < 1 << 31 else None for value in ranks[1:])),
        job=_text(job),
        job_name=_text(name),
        attempt=attempt,
        pid=pid,
        synced=None if synced not in (0, 1) else bool(synced),
        created=created,
    )
    return _with_words(raw, owner)


def _with_words(raw: bytes, owner: Owner) -> Header:
    count, current, ended, checkpoint, resumed, named, closed = struct.unpack_from("<7q", raw, Word.COUNT * 8)
    if not 0 <= count < 1 << 62:
        raise RingError(f"a count of {count} steps")
    sections = tuple(
        _text(raw[at : at + NAME_BYTES])
        for at in range(_NAMES_AT, _NAMES_AT + max(0, min(named, SECTIONS)) * NAME_BYTES, NAME_BYTES)
    )
    index = current & SECTION_MASK
    return Header(
        owner=owner,
        count=count,
        section=sections[index - 1] if 1 <= index <= len(sections) else None,
        section_since=current >> SECTION_BITS,
        checkpoint_step=checkpoint if checkpoint >= 0 else None,
        checkpoint_end=ended,
        resumed_step=resumed if resumed >= 0 else None,
        sections=sections,
        closed=closed == 1,
    )


def slots(first: int, last: int) -> list[tuple[int, int]]:
    """Offset and length of the stretches of the file that hold entries ``first`` up to, without, ``last``."""
    if last <= first:
        return []
    start, end = first % CAPACITY, (last - 1) % CAPACITY + 1
    stretches = [(start, end)] if start < end else [(start, CAPACITY), (0, end)]
    return [(HEADER_BYTES + low * ENTRY_BYTES, (high - low) * ENTRY_BYTES) for low, high in stretches]


def _fit(text: str, size: int) -> bytes:
    """UTF-8 in at most ``size`` bytes, cut between characters, zero-filled by struct."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode().ljust(size, b"\0")


def _text(raw: bytes) -> str:
    """Text that is safe to show: no control characters, whatever the file held."""
    text = raw.split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
