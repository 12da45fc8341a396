"""``guard deadletter``: what could not be read, and why."""

import base64
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from collectors.telemetry import RecordError
from detectors.plain import harmless, moment, plain
from guard.bus import Bus, Message, Topic, open_bus
from guard.commands import Session
from guard.commands.screen import screen
from guard.commands.topic_options import Point
from guard.deadletter import DeadLetter, decode
from guard.progress_bar import progress
from guard.tail.recent import recent

_SCHEMA = "guard.deadletters/1"
_SHOWN = 50
_TEXT = 0.9
"""Share of characters that print, from which a value is shown as text."""
_WIDTH = 16
"""Bytes in a line of hex."""


@click.group(name="deadletter")
def command() -> None:
    """List what could not be read, or show one letter in full."""


@command.command(name="list")
@click.option("--since", type=Point(), help="Those since: 10m, 2h, 3d, or 2026-11-24T03:00:00Z.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=_SHOWN, show_default=True, help="The newest so many."
)
@click.option("--reason", default="", metavar="TEXT", help="Those whose reason has this text in it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_(session: Session, since: float | None, limit: int, reason: str, as_json: bool) -> None:
    """List dead letters, the newest last."""
    with open_bus(session.config.bus, session.config.kafka) as bus, progress("reading dead letters") as told:

        def about(letter: Message) -> bool:
            told.advance()
            return _about(letter, reason)

        found = recent(bus, Topic.DEADLETTER, limit, about, now=time.time(), since=since or 0.0)
    if as_json:
        letters = [_document(message) for message in found.messages]
        click.echo(json.dumps({"schema": _SCHEMA, "letters": letters}, sort_keys=True))
    elif not found.messages:
        click.echo("no dead letters" + (" of that kind" if since or reason else ""))
    else:
        click.echo(_table(found.messages))


@command.command()
@click.argument("position", metavar="POSITION")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; the value in base64.")
@click.pass_obj
def show(session: Session, position: str, as_json: bool) -> None:
    """Show one letter in full. POSITION is PARTITION:OFFSET, the first column of the list."""
    partition, offset = _position(position)
    with open_bus(session.config.bus, session.config.kafka) as bus:
        if partition >= bus.partitions(Topic.DEADLETTER):
            raise click.BadParameter(f"{position}: {Topic.DEADLETTER} has no partition {partition}")
        message = _found(bus, partition, offset)
    if message is None or message.position.offset != offset:
        click.echo(
            f"guard deadletter: no letter at {position}; it may be older than letters are kept: "
            "guard deadletter list shows those that are there",
            err=True,
        )
        sys.exit(2)
    click.echo(json.dumps(_document(message), sort_keys=True) if as_json else "\n".join(_letter(message)))


def _found(bus: Bus, partition: int, offset: int) -> Message | None:
    """The first letter at this place or after it."""
    with progress("reading dead letters") as told:
        for message in bus.scan(Topic.DEADLETTER, partition=partition):
            if message.position.offset >= offset:
                return message
            told.advance()
    return None


def _position(text: str) -> tuple[int, int]:
    partition, colon, offset = text.partition(":")
    if not (colon and partition.isdecimal() and offset.isdecimal() and text.isascii() and len(text) < 40):
        raise click.BadParameter(
            f"{text[:40]!r}: expected PARTITION:OFFSET, for example 0:17", param_hint="POSITION"
        )
    return int(partition), int(offset)


def _read(message: Message) -> DeadLetter | str:
    """The letter, or why it cannot be read in its turn."""
    try:
        return decode(message.value or b"")
    except RecordError as error:
        return f"the letter itself cannot be read: {error}"


def _about(message: Message, reason: str) -> bool:
    letter = _read(message)
    return reason.casefold() in (letter if isinstance(letter, str) else letter.reason).casefold()


def _place(message: Message) -> str:
    return f"{message.position.partition}:{message.position.offset}"


def _document(message: Message) -> dict[str, Any]:
    letter = _read(message)
    head = {"position": _place(message), "time": message.time}
    if isinstance(letter, str):
        return head | {"unreadable": letter, "value": base64.b64encode(message.value or b"").decode()}
    return head | {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key,
        "reason": letter.reason,
        "size": letter.size,
        "value": base64.b64encode(letter.value).decode(),
    }


def _table(messages: tuple[Message, ...]) -> str:
    from guard.grid import grid  # noqa: PLC0415  (rich is an extra; --json does without it)

    return grid(
        ("position", "time", "record", "key", "reason"),
        [_row(message) for message in messages],
        width=screen().width,
        color=screen().color,
    )


def _row(message: Message) -> tuple[str, ...]:
    letter = _read(message)
    head = (_place(message), moment(message.time))
    if isinstance(letter, str):
        return (*head, "-", plain(message.key), plain(letter))
    record = f"{plain(letter.topic.removeprefix('guard.'))} {letter.partition}:{letter.offset}"
    return (*head, record, plain(letter.key), plain(letter.reason))


def _letter(message: Message) -> Iterator[str]:
    letter = _read(message)
    yield f"letter     {_place(message)}, {moment(message.time)}"
    if isinstance(letter, str):
        yield f"unreadable {harmless(letter)}"
        yield from _value(message.value or b"")
        return
    yield f"record     {harmless(letter.topic)}, partition {letter.partition}, offset {letter.offset}"
    yield f"key        {harmless(letter.key)}"
    yield f"reason     {harmless(letter.reason)}"
    size = "" if letter.size is None else f" of {letter.size:,}"
    yield f"value      {len(letter.value):,}{size} bytes"
    yield ""
    yield from _value(letter.value)


def _value(value: bytes) -> Iterator[str]:
    """As text where it is text, else in hex."""
    # A value that was cut may end within a letter.
    text = value.decode(errors="replace")
    printing = sum(
        letter in "\n\t" or (letter.isprintable() and letter != "\N{REPLACEMENT CHARACTER}") for letter in text
    )
    if printing >= _TEXT * len(text):
        yield from (harmless(line) for line in text.split("\n"))
        return
    for start in range(0, len(value), _WIDTH):
        part = value[start : start + _WIDTH]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"{start:08x}  {part.hex(' '):<{3 * _WIDTH}} {shown}"
