"""Allowances of the instance's network that ENA adapters (Elastic Network Adapter) ran into."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from collectors.counters import LARGEST_TOTAL, Increases
from collectors.efa import names_in
from collectors.ethtool import read_statistics
from collectors.reading import Gap, Now, Reading

MOST_INTERFACES = 32

_ALLOWANCE = re.compile(r"[a-z0-9_]{1,20}_allowance_exceeded")


class Ena:
    """Collector of ``ena.*_allowance_exceeded``: packets shaped, lists by interface, in the order of their names.

    Args:
        sys: root of sysfs.
        statistics: reads the running totals of an interface, or raises ``OSError``.
    """

    name = "ena"
    deadline = 2.0

    def __init__(
        self, sys: Path = Path("/sys"), *, statistics: Callable[[str], Mapping[str, int]] = read_statistics
    ) -> None:
        self._root = f"{sys}/class/net"
        self._statistics = statistics
        self._increases: Increases[tuple[str, str]] = Increases()

    def collect(self, now: Now) -> Reading | Gap:  # noqa: ARG002 - the protocol's argument; lengths play no part here
        """Read all ENA interfaces."""
        interfaces = self._interfaces()
        totals: dict[tuple[str, str], int | None] = {}
        notes: dict[str, str] = {}
        for interface in interfaces:
            try:
                statistics = self._statistics(interface)
            except OSError as error:
                notes[f"ena.{interface}"] = str(error)
                continue
            for name, total in statistics.items():
                if _ALLOWANCE.fullmatch(name):
                    totals[interface, name] = total if 0 <= total <= LARGEST_TOTAL else None
        grown = self._increases.advance(totals)
        if not interfaces:
            return Gap("no ENA adapter")
        if not totals:
            return Gap("; ".join(notes.values()) or "no ENA adapter counts allowances; its driver may be too old")
        names = sorted({name for _, name in totals})
        return Reading(
            counters={f"ena.{name}": [grown.get((interface, name)) for interface in interfaces] for name in names},
            notes=notes,
        )

    def close(self) -> None:
        """Nothing is held between periods."""

    def _interfaces(self) -> list[str]:
        return [name for name in names_in(self._root) if self._driver(name) == "ena"][:MOST_INTERFACES]

    def _driver(self, interface: str) -> str:
        try:
            return Path(f"{self._root}/{interface}/device/driver").readlink().name
        except OSError:
            return ""
