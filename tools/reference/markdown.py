"""Tables and text for Markdown."""

from collections.abc import Iterable, Iterator, Sequence

HEAD = "<!-- Written by `python -m tools.reference` from the code; do not edit. -->"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table's lines, and an empty one."""
    yield f"| {' | '.join(headings)} |"
    yield f"| {' | '.join('---' for _ in headings)} |"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def code(text: str) -> str:
    """As code."""
    return f"`{text}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or "-"
