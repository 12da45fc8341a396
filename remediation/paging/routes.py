"""Whose a page is, and which channels are told."""

from fnmatch import fnmatchcase

from msgspec import json

from detectors.verdict import identify
from remediation.alerts.notice import About
from remediation.paging.policy import Paging, Quiet, Route
from remediation.paging.state import Page, WordStory
from remediation.rail_policy import TimeOfWeek


def team_of(policy: Paging, job: str | None, node: str | None) -> str | None:
    """The first team whose patterns match the job or the node."""
    for team in policy.teams:
        if _any(team.jobs, job) or _any(team.nodes, node):
            return team.name
    return None


class Routing:
    """Routes at one moment. Lives within one call of `due`; many pages share an answer."""

    def __init__(self, policy: Paging, channels: tuple[str, ...], now: float) -> None:
        self._channels = tuple(sorted(set(channels)))
        # A route to channels that are all unknown is a mistake; what it matches goes to the routes after it.
        self._routes = [
            route
            for route in policy.routes
            if _now(route.hours, now) and (not route.channels or set(route.channels) & set(channels))
        ]
        self._quiet = [quiet for quiet in policy.maintenance if _now(quiet.hours, now)]
        self._answers: dict[tuple[object, ...], tuple[str, ...]] = {}
        times = [route.hours for route in policy.routes] + [quiet.hours for quiet in policy.maintenance]
        covered = "".join("1" if _now(hours, now) else "0" for hours in times)
        self.regime = identify(json.encode(policy), *self._channels, covered)
        """What answers depend on beside the page."""

    def channels(self, page: Page) -> tuple[str, ...]:
        """Whom the page concerns now, in the order of their names."""
        key = (page.severity, page.team, page.cluster, page.job)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._find(page)
        if page.about is About.CHANNEL and isinstance(page.story, WordStory):
            broken = page.story.subject
            others = tuple(name for name in answer if name != broken)
            return others or tuple(name for name in self._channels if name != broken)
        return answer

    def quiet(self, page: Page) -> bool:
        """Whether maintenance keeps the page from being triggered."""
        return any(_hushes(quiet, page) for quiet in self._quiet)

    def known(self, channel: str) -> bool:
        """Whether a channel is configured."""
        return channel in self._channels

    def _find(self, page: Page) -> tuple[str, ...]:
        told: set[str] = set()
        matched = False
        for route in self._routes:
            if not _matches(route, page):
                continue
            matched = True
            told |= set(route.channels)
            if not route.further:
                break
        return tuple(name for name in self._channels if name in told) if matched else self._channels


def _matches(route: Route, page: Page) -> bool:
    return (
        (not route.severities or page.severity in route.severities)
        and (not route.teams or page.team in route.teams)
        and (not route.clusters or _any(route.clusters, page.cluster))
        and (not route.jobs or _any(route.jobs, page.job))
    )


def _hushes(quiet: Quiet, page: Page) -> bool:
    here = not quiet.clusters or _any(quiet.clusters, page.cluster)
    return here and (not quiet.jobs or _any(quiet.jobs, page.job))


def _any(patterns: list[str], name: str | None) -> bool:
    return name is not None and any(fnmatchcase(name, pattern) for pattern in patterns)


def _now(hours: list[TimeOfWeek], now: float) -> bool:
    return not hours or any(time.covers(now) for time in hours)
