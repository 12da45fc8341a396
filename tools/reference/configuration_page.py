"""Every key of the configuration, with type, default, bounds and meaning, from the types that read it."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from guard.config import Config
from tools.reference.markdown import HEAD, code, table

_INTRODUCTION = """
One YAML file for each machine: `/etc/guard/guard.yaml`, or what `GUARD_CONFIG` or `--config` names. A key that
is left out has its default. `guard config` shows what is in force, `guard config --schema` the same as below as a
JSON Schema. An unknown key is a mistake, named with its line. Secrets never stand here: keys that end in `_file`
name the files that hold them.
"""
_WORDS = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true` or `false`"}
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
_SCHEMA = dict[str, Any]


def configuration_page() -> str:
    """The whole page."""
    schema = msgspec.json.schema(Config)
    found = schema["$defs"]
    lines = [HEAD, "# Configuration", _INTRODUCTION.strip(), "", "## At the top", ""]
    lines += _section(found, _known(found, schema), "", msgspec.to_builtins(Config()))
    return "\n".join(lines).rstrip() + "\n"


def _section(found: _SCHEMA, section: _SCHEMA, place: str, given: Any) -> Iterator[str]:
    """The keys of a section, then the sections in it.

    Args:
        found: all sections, by their names in the schema.
        section: this one.
        place: its keys, with dots in between.
        given: its defaults where it is there without being written; None: it is one of a list, or of a choice.
    """
    inner: list[tuple[str, _SCHEMA]] = []
    rows = []
    for key, told in section["properties"].items():
        there = f"{place}.{key}" if place else key
        below = list(_below(found, told, there))
        inner += below
        if below and below[0][0] == there:
            continue  # a section of its own, which says all there is to say
        what = _meaning(found, told)
        if below:
            what += f"; see {', '.join(dict.fromkeys(code(name) for name, _ in below))}"
        rows.append((code(key), _type(found, told), _default(section, key, told, given), what))
    if rows:
        yield from table(("key", "type", "default", "meaning"), rows)
    for name, one in inner:
        yield from (f"## {name}", "", _sentence(one.get("description", "")), "")
        key = name.removeprefix(f"{place}.") if place else name
        yield from _section(found, one, name, given.get(key) if isinstance(given, dict) else None)


def _below(found: _SCHEMA, told: _SCHEMA, place: str) -> Iterator[tuple[str, _SCHEMA]]:
    """The sections that a key holds, under the names of their places."""
    known = _known(found, told)
    if "properties" in known:
        yield place, known
    elif "items" in told:
        yield from _below(found, told["items"], f"{place}[]")
    elif isinstance(told.get("additionalProperties"), dict):
        yield from _below(found, told["additionalProperties"], f"{place}.NAME")
    elif "discriminator" in told:
        for kind, reference in told["discriminator"]["mapping"].items():
            yield f"{place} ({kind})", _known(found, {"$ref": reference})
    else:
        for one in told.get("anyOf", ()):
            yield from _below(found, one, place)


def _known(found: _SCHEMA, told: _SCHEMA) -> _SCHEMA:
    known: _SCHEMA = found[told["$ref"].removeprefix("#/$defs/")] if "$ref" in told else told
    return known


def _type(found: _SCHEMA, told: _SCHEMA) -> str:
    known = _known(found, told)
    if "anyOf" in known:
        return " or ".join(dict.fromkeys(_type(found, one) for one in known["anyOf"]))
    if "enum" in known:
        return ", ".join(code(str(one)) for one in known["enum"])
    kind = known.get("type")
    if kind == "null":
        return "`null`"
    if kind == "array":
        return f"list of {_type(found, known['items'])}{_length(known)}"
    if kind == "object":
        return "a section" if "properties" in known else "keys and values"
    bounds = [f"{sign} {known[name]:g}" for name, sign in _BOUNDS if name in known]
    return " ".join((_WORDS.get(str(kind), "any"), ", ".join(bounds))).strip()


def _length(known: _SCHEMA) -> str:
    least, most = known.get("minItems"), known.get("maxItems")
    parts = [f"at least {least}"] if least else []
    return ", ".join(["", *parts, *([f"at most {most}"] if most else [])])


def _default(section: _SCHEMA, key: str, told: _SCHEMA, given: Any) -> str:
    if key in section.get("required", ()):
        return "required"
    known = (
        given if isinstance(given, dict) and key in given else {key: told["default"]} if "default" in told else {}
    )
    return code(json.dumps(known[key], ensure_ascii=False)) if key in known else ""


def _meaning(found: _SCHEMA, told: _SCHEMA) -> str:
    return str(told.get("description") or _known(found, told).get("description") or "")


def _sentence(text: str) -> str:
    return " ".join(text.split())
