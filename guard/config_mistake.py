"""What msgspec says is wrong with a configuration, in words for the person who wrote the file."""

import difflib
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from guard.config import Config
from guard.config_text import ConfigText, Place
from guard.remediate.settings import KINDS

_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>.*)`", re.DOTALL)
_CREDENTIALS = re.compile(r"^.*@", re.DOTALL)
_WORDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "keys and values",
}
_LONGEST_SHOWN = 60


def describe(text: ConfigText, message: str) -> tuple[int, str]:
    """The line, and ``KEY: VALUE (expected …)`` or ``KEY: unknown key, did you mean …?``.

    Args:
        text: the file.
        message: what ``msgspec.convert`` said about its content.
    """
    found = _MESSAGE.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    place = _place(text, path)
    unknown = _UNKNOWN.search(what)
    if unknown:
        here = (*place, unknown["key"])
        return text.line(here), f"{_shown('.'.join(here))}: unknown key{_hint(here)}"
    name = ".".join(place) or "top"
    default = _default(place)
    if what.startswith("Invalid enum value") and isinstance(default, StrEnum):
        choices = ", ".join(type(default))
        return text.line(place), f"{name}: {_shown(_value(text, place))} (expected one of {choices})"
    if what.startswith("Invalid value") and place[-1:] == ("kind",):
        return text.line(place), f"{name}: {_shown(_value(text, place))} (expected one of {', '.join(KINDS)})"
    if not what.startswith("Expected"):
        return text.line(place), f"{name}: {what}"
    return text.line(place), f"{name}: {_shown(_value(text, place))} (expected {_expectation(what, place)})"


def _place(text: ConfigText, path: str) -> Place:
    """Turn ``.agent.disabled[1]`` into a place. For some value of a mapping msgspec has ``[...]``: find which."""
    place: Place = ()
    for part in re.findall(r"\[\.\.\.\]|[^.\[\]]+", path):
        if part != "[...]":
            place = (*place, part)
            continue
        mapping = _value(text, place)
        odd = (key for key, value in mapping.items() if not isinstance(value, str))
        place = (*place, next(odd, ""))
    return place


def _value(text: ConfigText, place: Place) -> Any:
    value: Any = text.content
    for key in place:
        value = value[int(key)] if isinstance(value, list) else value.get(key)
    return value


def _expectation(what: str, place: Place) -> str:
    """``Expected `float` > 0.0, got `int``` becomes ``a number > 0``."""
    expected, _, got = what.removeprefix("Expected ").partition(", got ")
    if "matching regex" in expected:
        return f"something like {msgspec.to_builtins(_default(place))!r}"
    expected = re.sub(r"`([^`]*)`", lambda type_: _union(type_[1]), re.sub(r"\.0$", "", expected))
    quotes = expected.startswith("text") and got in ("`int`", "`float`", "`bool`")
    return f"{expected}; put it in quotes" if quotes else expected


def _union(types: str) -> str:
    return " or ".join(_WORDS.get(type_, type_) for type_ in types.split(" | "))


def _default(place: Place) -> Any:
    value: Any = Config()
    for key in place:
        value = getattr(value, key, None)
    return value


def _hint(place: Place) -> str:
    """The nearest right key: one of the same section, else the same key where it belongs, else all there are."""
    known = list(getattr(_default(place[:-1]), "__struct_fields__", ()))
    near = difflib.get_close_matches(place[-1][:_LONGEST_SHOWN], known, n=1, cutoff=0.6)
    if near:
        return f", did you mean {near[0]!r}?"
    elsewhere = [".".join(other) for other in _places(Config(), ()) if other[-1] == place[-1]]
    if elsewhere:
        return f", did you mean {elsewhere[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _places(section: Any, place: Place) -> Iterator[Place]:
    for name in getattr(section, "__struct_fields__", ()):
        yield (*place, name)
        yield from _places(getattr(section, name), (*place, name))


def _shown(value: object) -> str:
    """A value as the file has it, short, on one line, and without what may be a password."""
    text = _CREDENTIALS.sub("***@", "null" if value is None else str(value))
    text = text if text.isprintable() and text else repr(text)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
