"""Dead letters: what a process could not read, where it stood, and why. Set aside, never fatal."""

import msgspec
from msgspec import Struct

from collectors.telemetry import RecordError
from guard.bus import Message, Outgoing, Topic

KEPT = 4096
"""Bytes of the unreadable value that its letter carries, and of the reason: enough to see what it was."""


class DeadLetter(Struct, frozen=True):
    """One record that could not be read.

    Attributes:
        topic: where it stood, with ``partition`` and ``offset``.
        key: its key.
        reason: why it could not be read.
        value: its first 4,096 bytes (base64 in the letter's JSON).
        size: its length in bytes; None in letters that do not tell.
    """

    topic: str
    partition: int
    offset: int
    key: str
    reason: str
    value: bytes
    size: int | None = None


_decoder = msgspec.json.Decoder(DeadLetter)


def dead_letter(message: Message, reason: str) -> Outgoing:
    """What could not be read, where it stood, and why."""
    position, value = message.position, message.value or b""
    letter = DeadLetter(
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
        key=message.key,
        reason=reason[:KEPT],
        value=value[:KEPT],
        size=len(value),
    )
    return Outgoing(Topic.DEADLETTER, message.key, msgspec.json.encode(letter))


def decode(value: bytes) -> DeadLetter:
    """Read a letter.

    Raises:
        RecordError: not one; whoever may write the topic may write anything.
    """
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(str(error)) from error
