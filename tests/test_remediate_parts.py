"""The parts of a term: what is waited for, what is read, and what an act is bound to."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml

from detectors.verdict import Severity, Status, Verdict
from detectors.verdict import encode as encode_saying
from guard.bus import Outgoing, Topic
from guard.bus.file import FileBus
from guard.config import Config
from guard.remediate.book import Book
from guard.remediate.clusters import open_cluster, opener
from guard.remediate.errand_of import errand_of
from guard.remediate.errands import Errand, TooLateError, act
from guard.remediate.ledger import Entered, Ledger
from guard.remediate.sayings import Sayings
from guard.remediate.settings import Kubernetes, Slurm
from remediation.clusters.fake import FakeCluster
from remediation.clusters.protocol import ClusterUnavailableError, RefusedError, Stamp
from remediation.ledger import Act, Intent, Leader, Moved, Opened, Outcome, Result, encode
from remediation.policy import Policy
from remediation.states import NodeState
from remediation.views import ClusterView, JobState, JobView, NodeView

NOW = 1_790_000_000.0
COMMON = {"cluster": "c", "time": NOW}
LEADER = Leader(id="l", process="p", deadline=60.0, **COMMON)
OPENED = Opened(
    id="o", incident="inc", epoch=1, node="n1", instance="i1", identity="id1", job="j", verdict="v",
    cause="compute", severity="warning", slowdown=0.2, since=NOW, **COMMON,
)  # fmt: skip
CONFIRMED = Moved(
    id="m", incident="inc", epoch=1, before=NodeState.HEALTHY, after=NodeState.CONFIRMED, reason="", **COMMON
)
INTENT = Intent(
    id="x", incident="inc", epoch=1, act=Act.CORDON, subject="n1", identity="id1", expires=NOW + 30, deadline=60.0,
    **COMMON,
)  # fmt: skip
DONE = Outcome(id="y", incident="inc", epoch=1, intent="x", result=Result.DONE, **COMMON)


def book(*records, taken=NOW):
    read = Book("c", Policy())
    for offset, record in enumerate(records, start=1):
        read.take(Entered(record, offset, taken))
    return read


@pytest.mark.parametrize(
    ("later", "wait"),
    [(0.0, 63.0), (20.0, 63.0), (29.0, 61.0), (40.0, 50.0), (1000.0, 0.0)],
    ids=lambda number: f"{number:g}",
)
def test_an_act_in_flight_is_waited_out_and_no_longer_than_it_can_last(later, wait):
    known = book(LEADER, OPENED, CONFIRMED, INTENT)
    assert max(known.in_flight(NOW + later, 3.0), 0.0) == wait


def test_nothing_is_waited_for_where_nothing_can_be_under_way():
    assert book(LEADER, OPENED, CONFIRMED).in_flight(NOW, 3.0) == 0
    assert book(LEADER, OPENED, CONFIRMED, INTENT, DONE).in_flight(NOW, 3.0) == 0
    old = msgspec.structs.replace(INTENT, epoch=0)  # written by one that was succeeded already: never begun
    assert book(LEADER, OPENED, CONFIRMED, old).in_flight(NOW, 3.0) == 0


def test_a_deadline_that_no_policy_gives_holds_nobody_up_for_ever():
    known = book(LEADER, OPENED, CONFIRMED, msgspec.structs.replace(INTENT, deadline=1e9))
    assert known.in_flight(NOW, 3.0) == 603


VIEW = ClusterView(
    {"n1": NodeView("n1", identity="id2", jobs=frozenset({"j"}))},
    {"j": JobView("j", JobState.RUNNING, frozenset({"n1"}), restarts=4)},
)


def test_an_act_is_bound_to_what_was_decided_and_not_to_what_has_its_name_now():
    incident = book(LEADER, OPENED).state.durable.incidents["inc"]
    cordon = errand_of(INTENT, incident, VIEW, Policy(), 0.0)
    assert cordon.node == replace(VIEW.nodes["n1"], identity="id1")
    assert cordon.stamp == Stamp("inc", "compute")
    restart = msgspec.structs.replace(INTENT, act=Act.RESTART, subject="j", restarts=3)
    errand = errand_of(restart, incident, VIEW, Policy(), 0.0)
    assert (errand.job.restarts, errand.node.name) == (3, "n1")
    gone = errand_of(restart, incident, ClusterView({}, {}), Policy(), 0.0)
    assert (gone.job.state, gone.node.name) == (JobState.ENDED, "n1")


@pytest.mark.parametrize(
    ("begin_by", "expires"), [(-1.0, 1e12), (1e12, 0.0)], ids=["the lead was not asked for", "expired"]
)
def test_what_is_too_late_is_not_begun(begin_by, expires):
    cluster = FakeCluster([NodeView("n1", identity="id1")])
    intent = msgspec.structs.replace(INTENT, expires=expires)
    errand = Errand(intent, begin_by, node=NodeView("n1", identity="id1"), stamp=Stamp("inc", "compute"))
    with pytest.raises(TooLateError):
        act(cluster, errand, 5.0)
    assert cluster.acts == []
    act(cluster, replace(errand, begin_by=1e12, intent=msgspec.structs.replace(intent, expires=1e12)), 5.0)
    assert cluster.acts == [("cordon", "n1")]


def test_an_act_without_what_it_needs_is_refused():
    with pytest.raises(RefusedError, match="cordon of n1: what it needs is not known"):
        act(FakeCluster([]), Errand(msgspec.structs.replace(INTENT, expires=1e12), 1e12), 5.0)


@pytest.fixture
def bus(tmp_path):
    with FileBus(tmp_path / "bus.sqlite") as bus:
        yield bus


def test_the_ledger_is_read_back_and_a_newer_leader_is_found_unread(bus):
    with contextlib.closing(Ledger(bus, "c")) as ledger:
        epoch = ledger.append([LEADER])
        assert [one.record for one in ledger.read_to(epoch)] == [LEADER]
        assert not ledger.superseded(epoch)
        bus.publish([Outgoing(Topic.LEDGER, "c", b"\xff"), Outgoing(Topic.LEDGER, "d", encode(OPENED))], 5.0)
        bus.publish([Outgoing(Topic.LEDGER, "d", encode(msgspec.structs.replace(LEADER, cluster="d")))], 5.0)
        assert ledger.superseded(epoch)
        bus.publish([Outgoing(Topic.LEDGER, "d", encode(msgspec.structs.replace(OPENED, cluster="d")))], 5.0)
        kinds = [type(one.record) for one in ledger.poll()]
        assert kinds == [Opened, Leader]  # ours, and the other cluster's leader: its offset is an epoch, too
        assert ledger.unreadable == 1


def verdict(node, status, cluster="c"):
    return Verdict(
        schema="guard.verdict/1", id="v", cluster=cluster, node=node, instance="i", job=None, time=NOW, since=NOW,
        status=status, role=None, cause=None, device=None, slowdown=None, severity=Severity.INFO, confidence=1.0,
    )  # fmt: skip


def say(bus, *verdicts):
    bus.publish([Outgoing(Topic.STATE, one.key, encode_saying(one)) for one in verdicts], 5.0)


def test_what_was_said_before_and_after_is_heard_once_and_the_newest_is_kept(bus):
    say(bus, verdict("n1", Status.WATCH), verdict("n2", Status.OK), verdict("n3", Status.OK, cluster="d"))
    with contextlib.closing(Sayings(bus, "c")) as sayings:
        assert {one.node: one.status for one in sayings.newest()} == {"n1": Status.WATCH, "n2": Status.OK}
        say(bus, verdict("n1", Status.STRAGGLER))
        bus.publish([Outgoing(Topic.STATE, "c/n2", None), Outgoing(Topic.STATE, "c/n4", b"{}")], 5.0)
        assert [(one.node, one.status) for one in sayings.poll()] == [("n1", Status.STRAGGLER)]
        assert sayings.poll() == []
        assert {one.node for one in sayings.newest()} == {"n1"}
        assert sayings.unreadable == 1


def test_without_a_cluster_nothing_can_be_seen_and_the_reason_says_what_to_set():
    with pytest.raises(ClusterUnavailableError, match=r"no cluster is set: remediation\.cluster, kind: slurm"):
        opener(None)()


def test_an_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "remediation.clusters.kubernetes", None)
    with pytest.raises(RefusedError, match=r"pip install 'trn-guard\[kubernetes\]'"):
        open_cluster(Kubernetes())


@pytest.mark.parametrize(
    "cluster",
    [
        {"kind": "slurm"},
        {"kind": "hyperpod-slurm", "configuration": "/etc/slurm/slurm.conf"},
        {"kind": "command", "command": ["/bin/true"], "repairs": ["reboot"]},
    ],
    ids=lambda cluster: cluster["kind"],
)
def test_each_kind_of_cluster_can_be_chosen(cluster):
    config = msgspec.convert({"remediation": {"cluster": cluster}}, Config)
    assert open_cluster(config.remediation.cluster).repairs is not None


def test_a_kind_that_there_is_not_is_refused():
    assert isinstance(msgspec.convert({"kind": "slurm"}, Slurm), Slurm)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.remediation\.cluster"):
        msgspec.convert({"remediation": {"cluster": {"kind": "nomad"}}}, Config)


def test_the_command_serves_says_that_no_cluster_is_set_and_ends_with_sigterm(tmp_path):
    file = tmp_path / "guard.yaml"
    file.write_text(yaml.safe_dump({"bus": f"file:{tmp_path}/bus.sqlite", "remediation": {"metrics": None}}))
    with subprocess.Popen(
        [sys.executable, "-m", "guard.commands", "--config", file, "remediate"], stderr=subprocess.PIPE, text=True
    ) as service:
        told = [service.stderr.readline()]
        while "leading from offset" not in told[-1]:
            told.append(service.stderr.readline())
            assert told[-1], told
        assert any(
            "no cluster is set, so nothing is seen or done: set remediation.cluster" in line for line in told
        )
        children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert service.wait(20) == 0
        assert time.monotonic() - began < 10
    assert not [child for child in children if os.path.exists(f"/proc/{child}")]  # noqa: PTH110
