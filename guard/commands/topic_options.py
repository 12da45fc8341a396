"""What commands that read a topic have in common: its short name, and since when."""

import time
from typing import Any

import click

from guard.bus import Topic
from guard.timespan import TimespanError, point

SHORT = {topic.removeprefix("guard."): topic for topic in Topic}
"""Topics by the names that people type."""


class TopicName(click.Choice[str]):
    """``telemetry`` for ``guard.telemetry``; the full name will do, too."""

    def __init__(self) -> None:
        super().__init__(list(SHORT))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a name into its `Topic`."""
        return SHORT[super().convert(str(value).removeprefix("guard."), param, ctx)]


class Point(click.ParamType[float]):
    """A moment in Unix seconds, from ``10m`` before now or ISO 8601."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn text into Unix seconds."""
        if isinstance(value, float):
            return value
        try:
            return point(value, time.time())
        except TimespanError as error:
            self.fail(str(error), param, ctx)
