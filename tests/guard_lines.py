"""Commands of guard as texts have them, held against the commands that there are."""

import re
import shlex
from collections.abc import Iterator

import click

from guard.commands.root import guard

_LINE = re.compile(r"^(?:\s*\$ |\s+|`)?(?:sudo -u guard |runuser -u guard -- )?(guard [^`\n]*)`?$")
_INLINE = re.compile(r"`((?:sudo -u guard )?guard [a-z][^`\n]*)`")


def commands(text: str) -> Iterator[str]:
    """Each command in a Markdown text: in indented or fenced code, or between backticks."""
    for line in text.splitlines():
        yield from (found.removeprefix("sudo -u guard ") for found in _INLINE.findall(line))
        if line.startswith("    "):
            found = _LINE.match(line)
            if found:
                yield found[1].partition("  #")[0].strip()


def mistake(line: str) -> str | None:
    """What is wrong with a command, by the very parser that would read it; None: nothing."""
    words = shlex.split(re.sub(r"\s*[|>].*", "", line))
    try:
        _parse(words[1:])
    except click.exceptions.Exit:
        return None
    except click.ClickException as error:
        return f"{line}: {error.format_message()}"
    return None


def _parse(words: list[str]) -> None:
    context, command = click.Context(guard, info_name="guard"), guard
    while True:
        with context:
            parsed = command.make_context(command.name or "guard", words, parent=context.parent)
        rest = [*parsed._protected_args, *parsed.args]
        if not isinstance(command, click.Group) or not rest:
            return
        _, inner, words = command.resolve_command(parsed, rest)
        if inner is None:
            return
        context, command = click.Context(inner, parent=parsed, info_name=inner.name), inner
