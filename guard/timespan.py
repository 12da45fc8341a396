"""Times on the command line: ``10m`` before now, or a moment in ISO 8601 with its zone."""

import re
from datetime import datetime

_LENGTH = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)(?P<unit>[smhdw])", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SHOWN = 40


class TimespanError(ValueError):
    """Neither a length nor a moment. The text is made for people."""


def length(text: str) -> float:
    """Seconds in ``90s``, ``10m``, ``2h``, ``3d`` or ``1w``.

    Raises:
        TimespanError: no such length.
    """
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        raise TimespanError(f"{_short(text)}: expected a number and a unit: 90s, 10m, 2h, 3d or 1w")
    return float(found["number"]) * _UNITS[found["unit"]]


def point(text: str, now: float) -> float:
    """A moment in Unix seconds: a length before ``now``, or ISO 8601 with a zone.

    Raises:
        TimespanError: neither of them, or a moment without a zone, which would be another one on each machine.
    """
    if _LENGTH.fullmatch(text.strip()):
        return max(now - length(text), 0.0)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise TimespanError(
            f"{_short(text)}: expected a length before now (10m, 2h, 3d) or a moment (2026-11-24T03:00:00Z)"
        ) from error
    if moment.tzinfo is None:
        raise TimespanError(
            f"{_short(text)}: a moment needs its zone: {moment.isoformat()}Z for UTC, or +01:00 say"
        )
    return max(moment.timestamp(), 0.0)


def _short(text: str) -> str:
    return ascii(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")
