"""A remediator that is killed between any two steps of any act: nothing twice, nothing half, nothing lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from detectors.verdict import Status
from remediation.ledger import Act, Intent, Outcome
from remediation.views import JobState
from tests.remediate_fleet import BAD, Scene, carry_through, scene
from tests.remediate_world import JOB, KILLS_AFTER, KILLS_BEFORE, world
from tests.remediator import POINTS

IN_THE_ACT = (KILLS_BEFORE, KILLS_AFTER)
AT_ONCE = 10
"""Scenes that are played at once: each waits more than it works."""

FLOWS = {
    Act.CHECKPOINT: Status.STRAGGLER,
    Act.CORDON: Status.STRAGGLER,
    Act.RESTART: Status.STRAGGLER,
    Act.RELEASE: Status.STRAGGLER,
    Act.REPAIR: Status.FAULT,
}
EFFECTS = {
    Status.STRAGGLER: Counter({("cordon", BAD): 1, ("restart", JOB): 1, ("uncordon", BAD): 1}),
    Status.FAULT: Counter({("cordon", BAD): 1, ("restart", JOB): 1, ("reboot", BAD): 1, ("uncordon", BAD): 1}),
}
NOT_SEEN = ("after the intent", "intent read back", "before the act", "act handed over", KILLS_BEFORE)
"""Points at which a reboot may have been asked for or not, and nobody can tell: it is not asked for again, and a
person has the node."""


def test_undisturbed_each_act_takes_effect_once(tmp_path):
    for act in (Act.RESTART, Act.REPAIR):
        directory = tmp_path / act
        directory.mkdir()
        with scene(directory) as it:
            it.start()
            carry_through(it, FLOWS[act])
            assert len(it.remediators) == 1
            sound(it, FLOWS[act], "")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("act", FLOWS)
def test_killed_anywhere(tmp_path, act):
    points = [point for point in (*POINTS, *IN_THE_ACT) if "commit" not in point or act is Act.RELEASE]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda point: killed_at(tmp_path, act, point), points))
    wrong = [one for one in told if one]
    assert not wrong, "\n".join(wrong)


def killed_at(directory: Path, act: Act, point: str) -> str:
    """What is wrong after a remediator was killed at that point; nothing, if all is well."""
    here = directory / point.replace(" ", "-")
    here.mkdir()
    with scene(here) as it:
        if point in IN_THE_ACT:
            (here / point).write_text(act)  # gone when it was met
        first = it.start(*(() if point in IN_THE_ACT else (point, act)))
        try:
            carry_through(it, FLOWS[act])
            assert first is not it.remediators[-1], "it was not killed"
            met = not (here / point).exists() if point in IN_THE_ACT else (here / "killed").exists()
            assert met, "it was not killed there"
            sound(it, FLOWS[act], point if act is Act.REPAIR else "")
        except AssertionError as error:
            return f"{act}, {point}: {error}\n{it.told()}"
    return ""


def sound(it: Scene, status: Status, reboot_killed_at: str) -> None:
    """Ledger and world agree, and nothing is left behind."""
    effects, wanted = Counter(it.effects()), EFFECTS[status]
    if reboot_killed_at in NOT_SEEN:
        effects.pop(("reboot", BAD), None)
        wanted = wanted - Counter({("reboot", BAD): 1})
    assert effects == wanted
    assert len(it.training.saves) == (status is Status.STRAGGLER)
    with world(it.directory) as cluster:
        view = cluster.observe(1.0)
    assert not any(node.cordoned for node in view.nodes.values())
    assert view.jobs[JOB].state is JobState.RUNNING
    assert BAD not in view.jobs[JOB].nodes
    ended = Counter(outcome.intent for outcome in it.of(Outcome))
    assert ended.keys() == {intent.id for intent in it.of(Intent)}
