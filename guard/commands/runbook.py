"""``guard runbook [NAME]``: what to do about an alert. Exit code 0 shown, 2 no such runbook."""

import difflib
import re
import sys
from pathlib import Path
from typing import Any

import click

from guard.commands.screen import screen

_FOLDER = Path(__file__).parents[1] / "runbooks"
_TITLE = re.compile(r"# ([a-z-]+): (.+)")
_ALSO = re.compile(r"^Prometheus: (.+)$", re.MULTILINE)
_MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)]+\)")


class RunbookName(click.ParamType[str]):
    """A runbook's name, or the name of an alert that it is for."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Turn the name of an alert into that of its runbook."""
        text, known = str(value), names()
        named = known.get(text) or known.get(text.lower())
        if named is None:
            near = difflib.get_close_matches(text.lower(), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "guard runbook lists them"
            self.fail(f"there is no runbook {text[:60]!r}; {hint}", param, ctx)
        return named

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:  # noqa: ARG002
        """Those that begin so."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  (only while a shell completes)

        return [
            CompletionItem(name, help=title) for name, title in titles().items() if name.startswith(incomplete)
        ]


@click.command(name="runbook")
@click.argument("name", required=False, type=RunbookName())
def command(name: str | None) -> None:
    """Show what to do about an alert: the runbook NAME, or all names.

    A page and an alert of the ledger name their runbook; Prometheus' alerts have theirs under their own name, too.
    """
    if name is None:
        every = titles()
        width = max(map(len, every))
        for one, title in every.items():
            click.echo(f"{one:<{width}}  {title}")
        return
    text = (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
    click.echo("\n".join(_shown(line) for line in text.splitlines()) if screen().color else text.rstrip())
    sys.stdout.flush()


def titles() -> dict[str, str]:
    """Each runbook's name, and what it is for in a line; by name."""
    every = (_TITLE.match(path.read_text(encoding="utf-8")) for path in sorted(_FOLDER.glob("*.md")))
    return {found[1]: found[2] for found in every if found}


def names() -> dict[str, str]:
    """What a runbook can be asked for by: its name, and the alerts of Prometheus that it is for."""
    known = {}
    for path in sorted(_FOLDER.glob("*.md")):
        known[path.stem] = path.stem
        for line in _ALSO.findall(path.read_text(encoding="utf-8")):
            for alert in re.findall(r"`(\w+)`", line):
                known[alert] = known[alert.lower()] = path.stem
    return known


def _shown(line: str) -> str:
    """A line of Markdown on a terminal with colours."""
    if line.startswith("#"):
        return click.style(line.lstrip("# "), bold=True)
    if line.startswith("    "):
        return click.style(line, fg="cyan")
    return _MARKS.sub(lambda mark: click.style(mark[1] or mark[2] or mark[3], bold=True), line)
