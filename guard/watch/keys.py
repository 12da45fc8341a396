"""What keys do. Pure: bytes of the terminal to names of keys, and a key to another look at the fleet."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace

_LONGEST = 64
"""Letters of a filter."""
_SEQUENCES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down",
    b"\x1b[5~": "page up", b"\x1b[6~": "page down",
    b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home",
    b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end",
}  # fmt: skip
_LETTERS = {
    "k": "up",
    "j": "down",
    "g": "home",
    "G": "end",
    " ": "page down",
    "q": "quit",
    "p": "pause",
    "/": "filter",
}
_FAR = 1 << 30


@dataclass(frozen=True, slots=True)
class Look:
    """How the fleet is looked at.

    Attributes:
        first: rows of nodes scrolled past.
        name: only what has this in its name.
        typing: whether a name is being typed.
        paused: the picture stands.
        ended: nobody looks any more.
    """

    first: int = 0
    name: str = ""
    typing: bool = False
    paused: bool = False
    ended: bool = False


def pressed(data: bytes) -> Iterator[str]:
    """The keys in what a terminal sent at once: names of those that move, letters, and nothing for the others."""
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    at = 0
    while at < len(data):
        if data[at] != 0x1B:
            yield from decoder.decode(data[at : at + 1])
            at += 1
            continue
        end = _end(data, at)
        name = "escape" if end == at + 1 else _SEQUENCES.get(data[at:end])
        if name is not None:
            yield name
        at = end


def _end(data: bytes, at: int) -> int:
    """Behind an escape sequence; behind the escape where it stands alone."""
    if data[at + 1 : at + 2] == b"O":
        return min(at + 3, len(data))
    if data[at + 1 : at + 2] != b"[":
        return at + 1
    end = at + 2
    while end < len(data) and not 0x40 <= data[end] <= 0x7E:
        end += 1
    return min(end + 1, len(data))


def press(look: Look, key: str, *, rows: int, total: int) -> Look:
    """The look after a key.

    Args:
        look: before.
        key: as ``pressed`` names it.
        rows: of nodes that are shown at once.
        total: rows that there are.
    """
    if look.typing:
        return _type(look, key)
    name = _LETTERS.get(key, key)
    if name == "quit":
        return replace(look, ended=True)
    if name == "pause":
        return replace(look, paused=not look.paused)
    if name == "filter":
        return replace(look, typing=True)
    if name == "escape":
        return replace(look, name="", first=0)
    page = max(rows - 1, 1)
    steps = {"up": -1, "down": 1, "page up": -page, "page down": page, "home": -_FAR, "end": _FAR}.get(name, 0)
    return replace(look, first=max(min(look.first + steps, total - rows), 0)) if steps else look


def _type(look: Look, key: str) -> Look:
    if key in ("\r", "\n"):
        return replace(look, typing=False)
    if key == "escape":
        return replace(look, typing=False, name="", first=0)
    if key in ("\x7f", "\b"):
        return replace(look, name=look.name[:-1], first=0)
    if len(key) == 1 and key.isprintable() and len(look.name) < _LONGEST:
        return replace(look, name=look.name + key, first=0)
    return look
