"""Reading the configuration file, and saying what is wrong with it: file, line, key, value, expectation."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from guard.config import Config

DEFAULT_PATH = Path("/etc/guard/guard.yaml")
_LARGEST = 256 << 10
_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")


class ConfigError(ValueError):
    """The configuration cannot be used. The text is made for people."""


def find(given: str | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: the one given, else ``GUARD_CONFIG``, else the default place where there is one."""
    named = given or environment.get("GUARD_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() else None


def load(path: Path | None) -> Config:
    """The configuration in ``path``, or the defaults.

    Raises:
        ConfigError: the file cannot be read, or says what no configuration says.
    """
    if path is None:
        return Config()
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(_yaml_mistake(path, error)) from error
    if root is None:
        return Config()
    _refuse_oddities(path, root)
    content = yaml.safe_load(text)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}:1: expected keys and values, got {str(content)[:60]!r}")
    try:
        return msgspec.convert(content, Config, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(_mistake(path, root, content, str(error))) from error


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(raw) > _LARGEST:
        raise ConfigError(f"{path}: more than {_LARGEST} bytes; a configuration is small")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error


def _yaml_mistake(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    return f"{path}:{line}: not YAML: {getattr(error, 'problem', None) or type(error).__name__}"


def _refuse_oddities(path: Path, root: yaml.Node) -> None:
    """Twice the same key, where YAML keeps the last; and aliases, which can blow a small file up."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        if id(node) in seen:
            raise ConfigError(f"{path}:{_line(node)}: YAML aliases (*name) are not used here; write the value out")
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if key.value in keys:
                    raise ConfigError(f"{path}:{_line(key)}: {key.value}: the key is there twice")
                keys.add(str(key.value))
                pending += [value]


def _mistake(path: Path, root: yaml.Node, content: dict[str, Any], message: str) -> str:
    """``FILE:LINE: KEY: VALUE: expectation``, with the nearest right key where one is unknown."""
    found = _MESSAGE.match(message)
    what, place = (found["what"], found["path"] or "") if found else (message, "")
    keys = [part for part in re.split(r"[.\[\]]+", place.removesuffix("[...]")) if part]
    unknown = _UNKNOWN.search(what)
    if unknown:
        keys.append(unknown["key"])
        near = difflib.get_close_matches(unknown["key"], _fields(keys[:-1]), n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}?" if near else f"; known here: {', '.join(_fields(keys[:-1]))}"
        return f"{path}:{_locate(root, keys)}: {'.'.join(keys)}: unknown key{hint}"
    value: Any = content
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value
    return f"{path}:{_locate(root, keys)}: {'.'.join(keys) or 'top'}: {str(value)[:60]!r}: {what}"


def _fields(keys: list[str]) -> list[str]:
    here: Any = Config()
    for key in keys:
        here = getattr(here, key, None)
    return list(getattr(here, "__struct_fields__", ()))


def _locate(root: yaml.Node, keys: list[str]) -> int:
    """The line of the last key that the file has on the way down."""
    node, line = root, _line(root)
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        pair = next(((name, value) for name, value in pairs if name.value == key), None)
        if pair is None:
            break
        line, node = _line(pair[0]), pair[1]
    return line


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def from_environment(given: str | None) -> tuple[Path | None, Config]:
    """Where the configuration came from, and what it says."""
    path = find(given, os.environ)
    return path, load(path)
