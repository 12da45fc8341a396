"""Figures that are worked out for the metrics: of the ledger, of nodes and jobs, and of the agent's sending."""

import math
import threading
import time

import msgspec
import pytest
from prometheus_client import generate_latest

from collectors.neuron_child import NeuronMonitor
from collectors.telemetry import encode
from detectors.detector import Detector
from detectors.verdict import JobStatus
from guard.agent.metrics import Metrics as AgentMetrics
from guard.agent.outbox import Outbox, _time_of
from guard.agent.spool import Spool
from guard.bus import BusUnavailableError
from guard.bus.file import FileBus
from guard.detect.metrics import Metrics as DetectMetrics
from guard.remediate.metrics import Metrics as RemediateMetrics
from guard.remediate.standing import standing
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import (
    Act,
    Applied,
    Breaker,
    Denied,
    Intent,
    Leader,
    Moved,
    Opened,
    Outcome,
    Proposed,
    Result,
)
from remediation.states import NodeState
from tests.fleet import QUICK, Fleet, slow_from

NOW = 1_000_000.0


def common(name: str, time: float, incident: str | None = "inc") -> dict:
    return {"id": name, "cluster": "c", "time": time, "incident": incident, "epoch": 0}


def folded(*records) -> Durable:
    durable = fold(Durable(), Leader(id="l", cluster="c", time=0.0, process="p", deadline=60.0), 0)
    for offset, record in enumerate(records, 1):
        durable = fold(durable, record, offset)
    return durable


OPENED = Opened(
    **common("o", NOW - 5000), node="n1", instance="i", job="j", verdict="v", cause="compute", severity="warning",
    slowdown=0.3, since=NOW - 5000,
)  # fmt: skip
SUSPECT = Moved(**common("m1", NOW - 4000), before=NodeState.HEALTHY, after=NodeState.SUSPECT, reason="")
CONFIRMED = Moved(**common("m2", NOW - 3000), before=NodeState.SUSPECT, after=NodeState.CONFIRMED, reason="")
HELD = Moved(**common("m3", NOW - 200), before=NodeState.CONFIRMED, after=NodeState.HELD, reason="")
PROPOSED = Proposed(
    **common("p", NOW - 900), act=Act.CORDON, subject="n1", intent="intent", reason="", mode="approve"
)
INTENT = Intent(
    **common("intent", NOW - 800), act=Act.CORDON, subject="n1", expires=NOW, deadline=60.0, approved_by="ann"
)


def answer(what: str, expires: float | None = None) -> Applied:
    return Applied(
        **common("a", NOW - 850),
        order="0-1",
        what=what,
        subject="intent",
        by="ann",
        accepted=True,
        expires=expires,
    )


def test_an_incident_is_counted_by_its_state():
    found = standing(folded(OPENED, SUSPECT, CONFIRMED), NOW)
    assert found.nodes == {NodeState.CONFIRMED: 1}
    assert found.oldest_held is None


def test_a_node_is_held_since_it_came_into_that_state():
    assert standing(folded(OPENED, SUSPECT, CONFIRMED, HELD), NOW).oldest_held == NOW - 200


def test_a_proposal_waits_until_somebody_answers_or_the_act_begins():
    waits = folded(OPENED, SUSPECT, CONFIRMED, PROPOSED)
    assert (standing(waits, NOW).waiting, standing(waits, NOW).oldest_proposal) == (1, NOW - 900)
    for after in (answer("approve", NOW + 60), answer("reject"), INTENT):
        assert standing(fold(waits, after, 9), NOW).waiting == 0, after
    assert standing(fold(waits, answer("approve", NOW - 1), 9), NOW).waiting == 1, "an approval ends, too"


@pytest.mark.parametrize("mode", ["observe", "recommend"])
def test_what_nobody_can_approve_does_not_wait(mode):
    other = msgspec.structs.replace(PROPOSED, mode=mode)
    assert standing(folded(OPENED, SUSPECT, CONFIRMED, other), NOW).waiting == 0


def test_an_act_is_in_flight_until_its_outcome():
    began = folded(OPENED, SUSPECT, CONFIRMED, INTENT)
    assert standing(began, NOW).in_flight == 1
    over = Outcome(**common("out", NOW), intent="intent", result=Result.DONE)
    assert standing(fold(began, over, 9), NOW).in_flight == 0


def test_breaker_and_pause_show_and_a_pause_that_has_a_term_ends_by_itself():
    pause = Applied(**common("p", NOW - 60, None), order="0-2", what="pause", by="ann", accepted=True, expires=NOW)
    known = folded(Breaker(**common("b", NOW, None), tripped=True, reason="storm"), pause)
    assert (standing(known, NOW - 1).tripped, standing(known, NOW - 1).paused) == (True, NOW - 60)
    assert standing(known, NOW).paused is None


def test_a_remediator_shows_what_stands_and_nan_for_what_does_not():
    metrics = RemediateMetrics()
    metrics.standing(standing(folded(OPENED, SUSPECT, CONFIRMED, PROPOSED), NOW))
    metrics.wrote(Denied(**common("d", NOW), act=Act.CORDON, subject="n1", rail="spares", reason=""))
    page = generate_latest(metrics.registry).decode()
    assert 'guard_remediate_nodes{state="confirmed"} 1.0' in page
    assert "guard_remediate_proposals_waiting 1.0" in page
    assert f"guard_remediate_oldest_proposal_timestamp_seconds {NOW - 900}" in page
    assert "guard_remediate_oldest_held_timestamp_seconds NaN" in page
    assert 'guard_remediate_denials_total{act="cordon",rail="spares"} 1.0' in page


def test_a_detector_counts_nodes_and_jobs_by_what_it_said_last():
    detector, metrics = Detector(QUICK), DetectMetrics()
    detector.fold(Fleet(nodes=5, slow=slow_from(2, 4, 2.0)).records(30))
    found = detector.standing()
    assert (found.accused, found.nodes.total(), found.jobs) == (1, 5, {JobStatus.SLOW: 1})
    metrics.standing([detector, detector])
    page = generate_latest(metrics.registry).decode()
    assert "guard_detect_nodes_accused 2.0" in page
    assert 'guard_detect_nodes{status="straggler"} 2.0' in page
    assert 'guard_detect_nodes{status="ok"} 8.0' in page
    assert 'guard_detect_jobs{status="hung"} 0.0' in page
    assert detector.counts["judged"] > 20


def test_batches_in_which_nothing_was_judged_say_nothing_about_judging():
    metrics = DetectMetrics()
    metrics.judged(0, 5.0)
    metrics.judged(2, 0.3)
    page = generate_latest(metrics.registry).decode()
    assert "guard_detect_windows_judged_total 2.0" in page
    assert "guard_detect_judge_seconds_count 1.0" in page


class Away(FileBus):
    """A bus that takes nothing while it is away."""

    away = threading.Event()

    def publish(self, records, timeout):
        if self.away.is_set():
            raise BusUnavailableError("away")
        return super().publish(records, timeout)


def until(true) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_agent_shows_since_when_its_records_wait(tmp_path):
    first, second = Fleet(nodes=1).records(2)
    Away.away.clear()
    outbox = Outbox(lambda: Away(tmp_path / "bus"), lambda: Spool(tmp_path / "spool", 1 << 20), retry_first=0.05)
    try:
        assert (outbox.standing.taken, outbox.standing.oldest) == (None, None)
        before = time.time()
        outbox.put("c/train", encode(first))
        until(lambda: outbox.sent == 1)
        until(lambda: outbox.standing.taken is not None)
        assert before <= outbox.standing.taken <= time.time()
        assert outbox.standing.oldest is None, "all were taken"
        Away.away.set()
        outbox.put("c/train", encode(first))
        outbox.put("c/train", encode(second))
        until(lambda: outbox.standing.oldest == first.time and outbox.standing.pending == 2)
        assert outbox.standing.spool_bytes > len(encode(first))
        Away.away.clear()
        until(lambda: outbox.standing.pending == 0)
        until(lambda: outbox.standing.spool_bytes == 0)
        assert outbox.standing.oldest is None
    finally:
        outbox.close(2)


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"time": "soon"}', b'{"time": 1'])
def test_a_record_without_a_time_has_none(value):
    assert _time_of(value) is None


def test_an_agent_shows_its_newest_record_and_its_clock():
    metrics = AgentMetrics(["steps", "host"], 1000)
    record = msgspec.structs.replace(Fleet(nodes=1).records(1)[0], gauges={"host.clock.offset": -0.25})
    metrics.period(record, size=900, seconds=0.5, gaps=["host"], starts=3)
    page = generate_latest(metrics.registry).decode()
    assert "guard_agent_clock_offset_seconds -0.25" in page
    assert "guard_agent_ranks 2.0" in page
    assert "guard_agent_neuron_monitor_starts_total 3.0" in page
    assert 'guard_agent_gaps_total{collector="host"} 1.0' in page
    assert 'guard_agent_gaps_total{collector="steps"} 0.0' in page
    metrics.period(msgspec.structs.replace(record, gauges={}), size=900, seconds=0.5, gaps=[], starts=4)
    page = generate_latest(metrics.registry).decode()
    assert "guard_agent_clock_offset_seconds NaN" in page
    assert "guard_agent_neuron_monitor_starts_total 4.0" in page


def test_each_start_of_neuron_monitor_is_counted_also_one_that_fails(tmp_path):
    with NeuronMonitor([str(tmp_path / "missing")]) as monitor:
        until(lambda: monitor.starts == 2)  # the second a second after the first
    assert "cannot start" in monitor.trouble


def test_what_is_not_known_yet_is_nan():
    for registry in (AgentMetrics().registry, DetectMetrics().registry, RemediateMetrics().registry):
        for family in registry.collect():
            for sample in family.samples:
                if sample.name.startswith("guard_") and sample.name.endswith("_timestamp_seconds"):
                    assert math.isnan(sample.value), sample.name
