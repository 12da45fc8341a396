"""Every command: usage, what it does, options with defaults, and exit codes, from click and the docstrings."""

import importlib
import inspect
import re
from collections.abc import Iterator

import click

from guard.commands import root
from guard.commands.global_options import options as global_options
from tools.reference.markdown import HEAD, code, table

_EXITS = re.compile(r"(Exit codes?:? .*?)(?:\.(?:\s|$)|\n\n|$)", re.DOTALL)
_GLOBAL = {name for option in global_options(hidden=True) for name in option.opts}
_HELP = {"-h", "--help"}

_INTRODUCTION = """
Each command is run as `guard COMMAND`; `guard --help` and `guard COMMAND --help` say the same in a terminal. The
options of `guard` itself go before or behind a command's name.

| exit code | of every command |
| --- | --- |
| 0 | it did what it was asked |
| 2 | a mistake, or no answer: a line on standard error says what is wrong and what to do |
| 130 | Ctrl-C |
| 141 | whoever read the output has gone |

Others stand beside the command.
"""


def command_page() -> str:
    """The whole page."""
    lines = [HEAD, "# Commands", _INTRODUCTION.strip(), "", "## guard", ""]
    with click.Context(root.guard, info_name="guard") as context:
        lines += _options(root.guard, context, everything=True)
        for title, names in root._GROUPS.items():  # noqa: SLF001  (the one list of commands, in the help's order)
            lines += [f"## {title}", ""]
            for name in names:
                command = root.guard.get_command(context, name)
                if command is not None:
                    lines += _command(command, context, name, _extra(name))
    return "\n".join(lines).rstrip() + "\n"


def _extra(name: str) -> str:
    extra = root._COMMANDS[name][1]  # noqa: SLF001
    return f"Needs `pip install 'trn-guard{extra}'`." if extra else ""


def _command(
    command: click.Command, parent: click.Context, name: str, needs: str, level: int = 3
) -> Iterator[str]:
    with click.Context(command, parent=parent, info_name=name) as context:
        yield f"{'#' * level} {context.command_path}"
        yield ""
        yield f"    {' '.join((context.command_path, *command.collect_usage_pieces(context)))}"
        yield ""
        yield from _text(command.help or "")
        for told in (_exit_codes(command), needs):
            if told:
                yield from (told, "")
        yield from _options(command, context)
        for inner in getattr(command, "commands", {}).values():
            yield from _command(inner, context, inner.name or "", "", level + 1)


def _text(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield from (f"    {line}" for line in paragraph.splitlines()[1:])
        else:
            yield " ".join(paragraph.split())
        yield ""


def _exit_codes(command: click.Command) -> str:
    """What the module's docstring says of them, where the command's own help does not."""
    module = inspect.getdoc(importlib.import_module(inspect.unwrap(command.callback).__module__)) or ""  # type: ignore[arg-type]
    found = _EXITS.search(module)
    alone = not re.search(r"\b[Ee]nds (?:\d|with)", command.help or "")
    return " ".join(found[1].split()).rstrip(".") + "." if found and alone else ""


def _options(command: click.Command, context: click.Context, *, everything: bool = False) -> Iterator[str]:
    rows = [
        _row(option, context)
        for option in command.get_params(context)
        if isinstance(option, click.Option)
        and not _HELP & set(option.opts)
        and (everything or not (option.hidden and _GLOBAL & set(option.opts)))
    ]
    if rows:
        yield from table(("option", "value", "default", "what"), rows)


def _row(option: click.Option, context: click.Context) -> tuple[str, str, str, str]:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    told = f"{option.help or ''}{' May be repeated.' if option.multiple else ''}"
    return names, _value(option, context), _default(option), told


def _value(option: click.Option, context: click.Context) -> str:
    kind = option.type
    if option.is_flag:
        return ""
    if isinstance(kind, click.Choice):
        return ", ".join(code(str(choice)) for choice in kind.choices)
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"{_NUMBER[isinstance(kind, click.IntRange)]}{_range(kind)}"
    return code(option.metavar or _NAMES.get(kind.name) or option.make_metavar(context))


_NUMBER = {True: "whole number", False: "number"}
_NAMES = {"text": "TEXT", "file": "FILE", "directory": "FOLDER", "path": "PATH"}


def _range(kind: click.IntRange | click.FloatRange) -> str:
    least = "" if kind.min is None else f" {'>' if kind.min_open else '≥'} {kind.min:g}"
    most = "" if kind.max is None else f" {'<' if kind.max_open else '≤'} {kind.max:g}"
    return ",".join(part for part in (least, most) if part)


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if option.is_flag and option.secondary_opts:
        return code((option.opts if option.default else option.secondary_opts)[0])
    if option.is_flag or option.multiple or callable(option.default):
        return ""
    given = option.default
    known = isinstance(given, str | int | float) or hasattr(given, "__fspath__")
    return code(str(given)) if known and given != "" else ""
