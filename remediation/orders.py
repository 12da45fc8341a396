"""Operators' orders: records `guard.control/1`.

Whoever may write the topic is an operator; what stands there is still taken as hostile: bounded, and without
characters that move a terminal.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from collectors.telemetry import Name

SCHEMA = "guard.control/1"
LARGEST = 10_000
"""Bytes of an order."""


class Command(StrEnum):
    """What can be ordered."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    RELEASE = "release"
    CORDON = "cordon"
    UNCORDON = "uncordon"
    PAUSE = "pause"
    RESUME = "resume"
    BREAKER_RESET = "breaker-reset"
    ACKNOWLEDGE = "acknowledge"
    """Somebody looks after a page: for the pager; the remediator has nothing to do with it."""


ABOUT_A_PROPOSAL = frozenset({Command.APPROVE, Command.REJECT})
ABOUT_A_NODE = frozenset({Command.HOLD, Command.RELEASE, Command.CORDON, Command.UNCORDON})
ABOUT_A_PAGE = frozenset({Command.ACKNOWLEDGE})
_NEEDS = (
    (ABOUT_A_PROPOSAL, "the id of a proposal"),
    (ABOUT_A_NODE, "a node"),
    (ABOUT_A_PAGE, "the key of a page, or its node or job"),
)

Person = Annotated[str, Meta(min_length=1, max_length=100)]
Words = Annotated[str, Meta(max_length=500)]
Subject = Annotated[str, Meta(max_length=253)]
Lasts = Annotated[float, Meta(gt=0, le=2592000)]


class OrderError(ValueError):
    """Not an order. The text names the field and what is wrong with it."""


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order.

    Attributes:
        cluster: whose remediator is meant.
        time: when it was given, Unix seconds; an old one is refused.
        by: the person.
        command: what is to be done.
        subject: the id of a proposed intent (approve, reject), a node, or the key of a page, its node or job
            (acknowledge); empty for what concerns everything.
        reason: why, in the person's words.
        lasts: seconds from `time` after which a pause ends by itself; None: with `resume`.
    """

    schema: str = SCHEMA
    cluster: Name
    time: Annotated[float, Meta(ge=0, lt=1e12)]
    by: Person
    command: Command
    subject: Subject = ""
    reason: Words = ""
    lasts: Lasts | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Order)


def encode(order: Order) -> bytes:
    """An order as it stands on the bus.

    Raises:
        OrderError: it could not be read back.
    """
    line = _encoder.encode(order)
    decode(line)
    return line


def decode(line: bytes) -> Order:
    """Read an order.

    Raises:
        OrderError: it is none; the text names the field and is safe to print.
    """
    if len(line) > LARGEST:
        raise OrderError(f"{len(line)} bytes, an order has at most {LARGEST}")
    try:
        order = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderError(_printable(str(error))) from error
    if order.schema != SCHEMA:
        raise OrderError(f"schema {_printable(order.schema)!r}, expected {SCHEMA!r} - at `$.schema`")
    for field in ("cluster", "by", "subject", "reason"):
        if not getattr(order, field).isprintable():
            raise OrderError(f"characters that do not print - at `$.{field}`")
    _check_subject(order)
    if order.lasts is not None and order.command is not Command.PAUSE:
        raise OrderError(f"{order.command} does not end by itself - at `$.lasts`")
    return order


def _check_subject(order: Order) -> None:
    named = order.command in ABOUT_A_PROPOSAL | ABOUT_A_NODE | ABOUT_A_PAGE
    if named and not order.subject:
        what = next(what for commands, what in _NEEDS if order.command in commands)
        raise OrderError(f"{order.command} needs {what} - at `$.subject`")
    if not named and order.subject:
        raise OrderError(f"{order.command} concerns everything, expected no subject - at `$.subject`")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:200])
