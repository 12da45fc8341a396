"""A record as a line of NDJSON: the JSON that it is, on one line and in ASCII: no name steers a terminal."""

import re

import msgspec

_BREAKS = str.maketrans("\n\r\t", "   ")
"""Only between the parts of a JSON text: within its strings they are escaped."""
_OTHER = re.compile(r"[^\x20-\x7e]")


def line(value: bytes | None) -> str | None:
    """The record, without a line end. None: it is not JSON, or the deletion of a key."""
    if value is None:
        return None
    try:
        msgspec.json.decode(value)
        return in_ascii(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def in_ascii(value: bytes) -> str:
    """A JSON text on one line. What is no ASCII stands within its strings: as an escape it means the same."""
    return _OTHER.sub(_escape, value.decode().translate(_BREAKS))


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
