"""The detector as it comes, over real traces: the slow rank is named and priced; unequal stages are nobody's."""

import json

import pytest

from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import JobVerdict, Role, Verdict
from guard.replay import in_order, replay
from tests.conftest import CAPTURES
from tools.bytedance.records import records
from tools.bytedance.trace import read

DATA = CAPTURES / "bytedance"
pytestmark = pytest.mark.needs("captures")


def sayings(name: str) -> list[Verdict | JobVerdict]:
    trace = read(DATA / f"trace-{name}.parquet", DATA / f"meta-{name}.yaml")
    policy = Policy()
    ordered = list(in_order(records(trace)))
    return list(replay(Detector(policy), policy, ordered, lambda _done, _of: None))


def accusations(said) -> list[Verdict]:
    return [verdict for verdict in said if isinstance(verdict, Verdict) and verdict.accused]


def test_the_slow_rank_alone_is_accused():
    said = sayings("AR")
    accused = accusations(said)
    assert {verdict.node for verdict in accused} == {"rank-000"}
    assert accused[-1].role is Role.CULPRIT
    assert [one for one in said if isinstance(one, JobVerdict)][-1].accused == ["rank-000"]


def test_it_costs_what_the_authors_found():
    """Their step time as it was, and with the slowest worker's operations replaced by typical ones."""
    authors = json.loads((DATA / "mw-AR.json").read_text())
    share = 1 - authors["trem"] / authors["tori"]
    assert accusations(sayings("AR"))[-1].slowdown == pytest.approx(share, abs=0.05)


def test_nobody_is_accused_of_unequal_stages():
    said = sayings("ST")
    assert accusations(said) == []
    assert all(not one.accused for one in said if isinstance(one, JobVerdict))
