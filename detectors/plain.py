"""Text from outside as harmless text, and numbers and times as people read them.

Names of nodes and jobs come from records that anybody on the bus may write. Control characters, escape
sequences and marks that reorder text are shown as Python escapes, and what is longer than any name is cut.
"""

from datetime import UTC, datetime

from detectors.verdict import Evidence

_LONGEST = 253
"""Characters: the limit of a name in the records. Longer text is no name."""
_UNITS = (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800))
"""Unit, its seconds, and the length in seconds from which the next one is used; days come last."""


def harmless(text: str) -> str:
    """Show what a terminal would act on (control, escape, right-to-left and invisible characters) as escapes."""
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def plain(text: str) -> str:
    """Show text that is to be a name or a few words: harmless, and cut where it is longer than any name."""
    shown = harmless(text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}… ({len(text)} characters)"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def moment(time: float) -> str:
    """Unix seconds as local time in ISO 8601 with its offset, to the second."""
    try:
        return datetime.fromtimestamp(time, UTC).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{time:g} (no date)"


def ago(time: float, now: float) -> str:
    """How long before ``now``, both Unix seconds: ``3 min ago``."""
    seconds = now - time
    length = abs(seconds)
    if length < 1:
        return "now"
    unit, size = next(((unit, size) for unit, size, until in _UNITS if length < until), ("days", 86_400))
    number = f"{length / size:.3g} {unit}" if length >= 1e9 else f"{length / size:.0f} {unit}"
    return f"{number} ago" if seconds > 0 else f"in {number}"


def lasting(length: float | None) -> str:
    """A length in the unit that fits it, ``8.5 h``; unknown is a dash."""
    if length is None:
        return "-"
    unit, size = next(((unit, size) for unit, size, until in _UNITS if abs(length) < until), ("d", 86_400))
    return f"{length / size:.3g} {unit}"


def share(value: float | None) -> str:
    """A share as percent; unknown is a dash."""
    return "-" if value is None else f"{value * 100:.3g} %"


def seconds(value: float | None) -> str:
    """A length in seconds; unknown is a dash."""
    return "-" if value is None else f"{value:.3g} s"


def evidence(said: Evidence) -> str:
    """One signal in a few words. Signals of steps are in seconds, others in the units of the telemetry record."""
    unit = " s" if said.signal.startswith("steps.") else ""
    windows = "1 window" if said.windows == 1 else f"{said.windows} windows"
    return (
        f"{plain(said.signal)} {said.value:.3g}{unit} vs {said.typical:.3g}{unit} typical, "
        f"{said.score:.3g} sigma for {windows}"
    )
