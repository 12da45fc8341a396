"""Limits of the rails: how much may be out, how often guard may try, and when it stops itself."""

import re
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class OutOfService(Struct, frozen=True, forbid_unknown_fields=True):
    """How many nodes may be out of service at once, whoever took them out; the tightest holds."""

    count: Annotated[int, Meta(ge=1, le=10000, description="nodes of the cluster")] = 4
    share: Annotated[
        float, Meta(gt=0, le=1, description="share of the cluster's nodes; one is always allowed")
    ] = 0.05
    domain: Annotated[int, Meta(ge=1, le=10000, description="nodes of one fault domain (rack, …)")] = 2
    job: Annotated[int, Meta(ge=1, le=10000, description="nodes taken from one job")] = 2


class Attempts(Struct, frozen=True, forbid_unknown_fields=True):
    """How often guard tries, until a person must look."""

    act: Annotated[int, Meta(ge=1, le=100, description="times that one act of an incident is tried")] = 5
    again: Annotated[
        float, Meta(gt=0, le=3600, description="seconds before the second try; doubled before each further one")
    ] = 15.0
    node: Annotated[int, Meta(ge=1, le=100, description="cordons of one node in a day")] = 2
    job: Annotated[int, Meta(ge=1, le=100, description="restarts of one job by guard in a day")] = 3


class CoolDown(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a node is left alone after its incident was closed."""

    first: Annotated[float, Meta(ge=0, le=604800, description="seconds after the first; doubled by each more")] = (
        3600.0
    )
    longest: Annotated[float, Meta(ge=0, le=2592000, description="seconds at most")] = 604800.0
    forget: Annotated[
        float, Meta(gt=0, le=31536000, description="seconds after which an incident no longer counts")
    ] = 2592000.0


class Storm(Struct, frozen=True, forbid_unknown_fields=True):
    """So many nodes do not break at once: the detector, the network or the storage did."""

    share: Annotated[float, Meta(gt=0, le=1, description="share of nodes accused in the window that trips")] = 0.1
    least: Annotated[int, Meta(ge=2, le=10000, description="nodes that it takes at least")] = 3
    window: Annotated[float, Meta(gt=0, le=86400, description="seconds looked back on")] = 600.0


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


DAYS = tuple(Day)


class TimeOfWeek(Struct, frozen=True, forbid_unknown_fields=True):
    """A time that comes back each week, in UTC: when people work on the cluster, or who is told when."""

    start: Annotated[str, Meta(description='"HH:MM", UTC')]
    hours: Annotated[float, Meta(gt=0, le=24, description="how long")]
    days: Annotated[list[Day], Meta(description="on which days it begins; none named: on each")] = []

    def __post_init__(self) -> None:
        """Refuse what is no time of day."""
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.start):
            raise ValueError(f"start is {self.start!r}, expected a time of day such as 22:30")

    def covers(self, now: float) -> bool:
        """Whether `now`, in Unix seconds, lies in it."""
        hour, minute = self.start.split(":")
        day, second = divmod(now, 86400)
        begin = int(hour) * 3600 + int(minute) * 60
        if second >= begin:
            return self._on(int(day)) and second < begin + self.hours * 3600
        return self._on(int(day) - 1) and second + 86400 < begin + self.hours * 3600

    def _on(self, day: int) -> bool:
        # The first of January 1970 was a Thursday.
        return not self.days or DAYS[(day + 3) % 7] in self.days
