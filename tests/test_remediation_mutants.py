"""The properties of remediation bite: with one rail off, or one rule broken, they find it.

Sequences are always the same ones.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from remediation import accusing, acting, rails
from remediation.draft import Draft
from remediation.states import TRANSITIONS, NodeState
from tests import remediation_limits
from tests.test_remediation_properties import Remediation

EXAMPLES = 100
BITING = settings(
    max_examples=EXAMPLES,
    stateful_step_count=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


TIGHT = {
    "breaker": "storm",
    "maintenance": "maintenance",
    "confidence": "confidence",
    "peers": "peers",
    "cool-down": "cool_down.first",
    "node-attempts": "attempts.node",
    "attempts": "attempts.act",
    "actions": "actions",
    "out-of-service": "out.count",
    "fault-domain": "out.domain",
    "job-nodes": "out.job",
    "spares": "spares",
    "restart-budget": "attempts.job",
    "economy": "economy",
    "checkpoint-age": "checkpoint.age",
}
"""The limit of each rail that has one."""


def always(*_):
    return True, "off"


def switch_off(monkeypatch, name):
    """The rail says yes, whoever asks it."""
    off = tuple(replace(rail, ask=always) if rail.name == name else rail for rail in rails.RAILS)
    assert off != rails.RAILS
    monkeypatch.setattr(rails, "RAILS", off)
    asked_there = {"cool-down": "cool_down", "verdict-age": "verdict_age"}
    if name in asked_there:
        monkeypatch.setattr(accusing, asked_there[name], always)
    tighten(monkeypatch, TIGHT.get(name))


def tighten(monkeypatch, path):
    """Half of the policies are tight there, and all are wide elsewhere."""
    known = {key: values for group in remediation_limits.TIGHT.values() for key, values in group.items()}
    monkeypatch.setattr(remediation_limits, "TIGHT", {"it": {path: known[path]} if path else {}})
    monkeypatch.setattr(remediation_limits, "GROUPS", [["it"]])


def violation() -> str:
    try:
        run_state_machine_as_test(Remediation, settings=BITING)
    except AssertionError as error:
        return str(error)
    return ""


NOT_SEEN = {"restart-owner"}
"""Off, it is not noticed in so few sequences: `test_remediation_restart` and the adapters' tests see it."""


@pytest.mark.parametrize("name", [rail.name for rail in rails.RAILS if rail.name not in NOT_SEEN])
def test_a_rail_that_is_off_is_found(monkeypatch, name):
    switch_off(monkeypatch, name)
    assert f"in spite of {name}:" in violation()


def test_a_state_that_is_skipped_is_found(monkeypatch):
    tighten(monkeypatch, None)
    monkeypatch.setitem(TRANSITIONS, NodeState.CONFIRMED, frozenset(NodeState))
    move = Draft.move

    def skip(draft, incident, after, reason):
        if after is not NodeState.CORDONED:
            move(draft, incident, after, reason)

    monkeypatch.setattr(Draft, "move", skip)
    assert "leaves the state machine:" in violation()


def test_a_suspect_that_is_cordoned_is_found(monkeypatch):
    tighten(monkeypatch, None)
    monkeypatch.setitem(acting._WANTS, NodeState.SUSPECT, acting._confirmed)
    assert "in spite of state:" in violation()


def test_a_storm_that_is_not_noticed_is_found(monkeypatch):
    tighten(monkeypatch, "storm")
    monkeypatch.setattr(accusing, "storm", lambda draft: None)
    assert "in spite of storm:" in violation()
