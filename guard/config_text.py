"""A YAML text as plain values, with the line of each: what a configuration file may be made of.

A subset on purpose: keys are text, each is there once, and there are no aliases, tags or deep nesting. What is
left cannot blow up a small file, and every value has one place where it stands.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_DEEPEST = 16
"""Levels of nesting; the configuration has five. Checked before composing, which recurses."""
_TOO_DEEP = f"nested more than {_DEEPEST} levels deep"
_NUMBERS = re.compile(r"tag:yaml\.org,2002:(null|bool|int|float)")
_TEXTS = re.compile(r"tag:yaml\.org,2002:(str|timestamp|merge|value)")
"""What YAML finds in unquoted text and a configuration does not: 2026-01-02 is a fine name for a rack."""

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Place = tuple[str, ...]
"""Keys and indices from the top down."""


class TextError(ValueError):
    """Not such a text.

    Attributes:
        line: where, from 1.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass
class ConfigText:
    """The values, and the line on which each key or item stands."""

    content: Plain = None
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of ``place``, or of the nearest thing above it that the text has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def parse(text: str) -> ConfigText:
    """Read one YAML document; an empty one is ``None``.

    Raises:
        TextError: not YAML, or YAML that has no place in a configuration.
    """
    try:
        _refuse_depth_and_aliases(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        if "nesting depth" in problem:  # newer parsers have a limit of their own, and may look ahead of ours
            raise TextError(_line(mark), _TOO_DEEP) from error
        raise TextError(_line(mark), f"not YAML: {problem}") from error
    parsed = ConfigText()
    if root is not None:
        parsed.content = _build(root, (), parsed.lines)
    return parsed


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark is not None else 1


def _refuse_depth_and_aliases(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise TextError(line, f"YAML aliases (*{event.anchor}) are not used here; write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise TextError(line, _TOO_DEEP)


def _build(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Plain:
    """The value of a node, and into ``lines`` where it and what is in it stands."""
    lines.setdefault(place, _line(node.start_mark))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*place, str(index)), lines) for index, item in enumerate(node.value)]
    if _NUMBERS.fullmatch(node.tag):
        return _number(node)
    if _TEXTS.fullmatch(node.tag):
        return str(node.value)
    raise TextError(_line(node.start_mark), f"{'.'.join(place) or 'top'}: YAML tags (!name) are not used here")


def _mapping(node: yaml.MappingNode, place: Place, lines: dict[Place, int]) -> Plain:
    content: dict[str, Plain] = {}
    for key, value in node.value:
        line = _line(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise TextError(line, f"{'.'.join(place) or 'top'}: a key is text, not a list or a mapping")
        name = str(key.value)
        here = (*place, name)
        if name in content:
            raise TextError(line, f"{'.'.join(here)}: the key is there twice, first on line {lines[here]}")
        lines[here] = line
        content[name] = _build(value, here, lines)
    return content


def _number(node: yaml.Node) -> Plain:
    constructor = yaml.constructor.SafeConstructor()
    try:
        value: Plain = constructor.construct_object(node)
    except (ValueError, KeyError, yaml.YAMLError):  # `!!int abc`, a number of 5,000 digits: text, then
        return str(node.value)
    return value
