"""Slurm's lists of nodes as names, `n[1-3,07],x5`, and back to nothing else: read without a process for each."""

import re
from collections.abc import Iterator

LARGEST = 1 << 17
"""Names in one list: twice the largest cluster that guard is made for."""

_ITEM = re.compile(r"(?:[^,\[\]]|\[[0-9,-]*\])+")
_RANGE = re.compile(r"\[([0-9,-]*)\]")
_SPAN = re.compile(r"(\d+)(?:-(\d+))?")


def expand(text: str) -> frozenset[str]:
    """The names in a list.

    Raises:
        ValueError: it is not one, or has more than `LARGEST` names.
    """
    if not text:
        return frozenset()
    if ",".join(_ITEM.findall(text)) != text:
        raise ValueError(f"not a list of nodes: {text[:80]!r}")
    names: set[str] = set()
    for item in _ITEM.findall(text):
        for name in _names(item):
            names.add(name)
            if len(names) > LARGEST:
                raise ValueError(f"more than {LARGEST} nodes in one list")
    return frozenset(names)


def _names(item: str) -> Iterator[str]:
    """Names of one item, in which any number of brackets may stand."""
    found = _RANGE.search(item)
    if found is None:
        yield item
        return
    for number in _numbers(found[1]):
        yield from _names(item[: found.start()] + number + item[found.end() :])


def _numbers(spans: str) -> Iterator[str]:
    """`1-3,07` as `1 2 3 07`: leading zeros are part of a name."""
    for span in spans.split(","):
        match = _SPAN.fullmatch(span)
        if match is None:
            raise ValueError(f"not a range of nodes: {span[:80]!r}")
        first, last = match[1], match[2] or match[1]
        for number in range(int(first), int(last) + 1):
            yield str(number).zfill(len(first))
