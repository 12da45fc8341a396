"""A pager that is killed at any point: no page is lost, and none is told twice to whoever can tell."""

import random
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.alertmanager_server import AlertmanagerServer
from tests.page_scene import accused, incident, scene, well
from tests.pager import COMMITS, POINTS

pytestmark = [pytest.mark.needs("alertmanager"), pytest.mark.timeout(300)]

AT_ONCE = 8
"""Scenes that are played at once: each waits more than it works."""
CHOSEN = [(point, number) for point in POINTS for number in ((1, 2) if point in COMMITS else (1, 5, 11))]
"""Four letters for each of four channels, two triggers and two resolves, in two commits at least: the first is
among the triggers, the eleventh among the resolves."""
SEEDS = (11, 23, 42, 77)
_LONGEST = 4.0


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    with AlertmanagerServer(tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.fixture
def played(tmp_path, alertmanager):
    """Play scenes, some at once; what is wrong with each that went wrong."""

    def play(how, names):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = list(pool.map(lambda name: _judged(how, tmp_path, alertmanager, name), names))
        return "\n".join(one for one in told if one)

    return play


def test_killed_at_a_chosen_point(played):
    assert played(_killed_there, CHOSEN) == ""


def test_killed_at_random_moments(played):
    assert played(_killed_at_random, SEEDS) == ""


def _judged(how, directory, alertmanager, name):
    here = directory / re.sub(r"\W+", "-", str(name)).strip("-")
    here.mkdir()
    oncall = {"kind": "alertmanager", "urls": [alertmanager.url], "repeat": 5.0}
    with scene(here, am=oncall) as it:
        try:
            how(it, name)
            _sound(it, alertmanager)
        except AssertionError as error:
            return f"{name}: {error}\n{it.told()}"
    return ""


def _killed_there(it, name):
    point, number = name
    it.start(point, number)
    it.started()
    straggler, other = _nodes(it)
    opened, over = incident(other)
    it.say(accused(straggler, time.time()))
    it.enter(opened)
    _restarted(it)
    it.until(lambda: all(len(_heard(it, "trigger")[page]) == 3 for page in _pages(it)) and len(_pages(it)) == 2)
    it.say(well(straggler))
    it.enter(over)
    _restarted(it, 6.0)
    assert it.kills == 1, "it was not killed"
    assert (it.directory / "killed").exists()


def _restarted(it, seconds=3.0):
    """If it is killed within the time, start another one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and it.kills == 0:
        if it.processes[-1].poll() is not None:
            it.kills += 1
            it.start()
        time.sleep(0.05)


def _killed_at_random(it, seed):
    chance = random.Random(seed)
    it.start()
    it.started()
    straggler, other = _nodes(it)
    opened, over = incident(other)
    for words in ((accused(straggler, time.time()),), (), (well(straggler),)):
        it.say(*words)
        it.enter(*{0: (opened,), 1: (over,)}.get(len(it.processes) - 1, ()))
        time.sleep(chance.uniform(0.0, _LONGEST))
        it.kill()
        it.start()


def _nodes(it):
    """Of this scene alone: all share one Alertmanager."""
    return f"one-{it.directory.name}", f"other-{it.directory.name}"


def _pages(it):
    return {one.key for one in it.hook.taken}


def _heard(it, action):
    """Which channels (as far as they tell pages) heard this of each page."""
    heard = {page: [] for page in _pages(it)}
    for page in heard:
        heard[page] += ["oncall"] if action in it.pages().get(page, ()) else []
        heard[page] += ["hook"] if any((one.key, one.action) == (page, action) for one in it.hook.taken) else []
        heard[page] += ["team"] if len(it.team.taken) >= len(heard) else []
    return heard


def _sound(it, alertmanager):
    """Everybody has heard of two pages from beginning to end, and of none twice where that can be told."""
    people = alertmanager.people

    def notified(page):
        return [one.action for one in people.taken if one.key == page]

    def ended():
        pages = _pages(it)
        return (
            len(pages) == 2
            and all(it.pages().get(page, [""])[-1] == "resolve" for page in pages)
            and all(any((one.key, one.action) == (page, "resolve") for one in it.hook.taken) for page in pages)
            and all(notified(page)[-1:] == ["resolved"] for page in pages)
            and len({str(one.body) for one in it.team.taken}) >= 4
        )

    it.until(ended)
    assert it.stop() < 4.0
    pages = _pages(it)
    assert set(it.pages()) == pages
    assert len(it.oncall.incidents()) == 2  # one for each key: what came twice made no other one
    for page in pages:
        assert notified(page) == ["firing", "resolved"]
        assert [one.action for one in it.hook.once if one.key == page] == ["trigger", "resolve"]
    ids = Counter(one.body["id"] for one in it.hook.taken)
    assert len(ids) == 4
    assert sum(ids.values()) - 4 <= it.kills
    repeats = Counter(str(one.body) for one in it.team.taken)
    assert sum(repeats.values()) - len(repeats) <= it.kills
