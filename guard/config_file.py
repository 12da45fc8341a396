"""Reading the configuration file, and saying what is wrong with it: file, line, key, value, expectation."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from guard.config import Config
from guard.config_mistake import describe
from guard.config_text import TextError, parse

DEFAULT_PATH = Path("/etc/guard/guard.yaml")
_LARGEST = 256 << 10
"""Bytes; a full configuration has two thousand."""


class ConfigError(ValueError):
    """The configuration cannot be used. The text is made for people."""


def find(given: str | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: the one given, else ``GUARD_CONFIG``, else the default place where there is one."""
    named = given or environment.get("GUARD_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_PATH if os.path.lexists(DEFAULT_PATH) else None


def load(path: Path | None) -> Config:
    """The configuration in ``path``, or the defaults.

    Raises:
        ConfigError: the file cannot be read, or says what no configuration says.
    """
    if path is None:
        return Config()
    try:
        text = parse(_read(path))
    except TextError as error:
        raise ConfigError(f"{path}:{error.line}: {error}") from error
    content = _without_empty_sections(text.content if text.content is not None else {}, Config())
    try:
        return msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        line, mistake = describe(text, str(error))
        raise ConfigError(f"{path}:{line}: {mistake}") from error


def from_environment(given: str | None) -> tuple[Path | None, Config]:
    """Where the configuration came from, and what it says.

    Raises:
        ConfigError: as from ``load``.
    """
    path = find(given, os.environ)
    return path, load(path)


def _read(path: Path) -> str:
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{path}: not a regular file")
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}{_remedy(error)}") from error
    except ValueError as error:  # a NUL in the path
        raise error if isinstance(error, ConfigError) else ConfigError(f"{str(path)!r}: {error}") from error
    if len(raw) > _LARGEST:
        raise ConfigError(f"{path}: more than {_LARGEST} bytes; a configuration is small")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "; run this as the user of the services: sudo -u guard"
    return "; name another file with --config or GUARD_CONFIG" if isinstance(error, FileNotFoundError) else ""


def _without_empty_sections(content: Any, section: msgspec.Struct) -> Any:
    """Leave out sections of which every key is commented out: to YAML they are null, to people the defaults."""
    if not isinstance(content, dict):
        return content
    kept = {}
    for key, value in content.items():
        default = getattr(section, key, None) if key in section.__struct_fields__ else None
        if isinstance(default, msgspec.Struct):
            if value is not None:
                kept[key] = _without_empty_sections(value, default)
        else:
            kept[key] = value
    return kept
