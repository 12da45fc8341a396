"""Whatever comes in whatever order: a trigger first, numbers that grow, one resolve last, and nothing after it.

The events are those of three nodes, two jobs, the ledger, sources and channels, in any order, with repeats; the
pager may be asked at any time what is due, and may be started anew between any two events.
"""

from collections import defaultdict

import hypothesis.strategies as st
from hypothesis import given, settings

from detectors.verdict import Severity, Status
from remediation.alerts.notice import Kind
from remediation.ledger import Act, Alert, Applied, Cleared, Denied, Intent, Outcome, Proposed, Result
from remediation.paging import pager
from remediation.paging.events import Looked, Source, Tried
from remediation.paging.policy import Paging, Quiet, Route, Storm
from remediation.rail_policy import TimeOfWeek
from remediation.states import NodeState
from tests.paging import START, Pager, accusation, acknowledge, breaker, job, moved, opened, record, verdict

NODES, INSTANCES, INCIDENTS, JOBS = ("n0", "n1", "n2"), ("i-1", "i-2"), ("inc-0", "inc-1", "inc-2"), ("j0", "j1")
TIMES = st.integers(0, 40).map(lambda tick: tick * 5.0)
ALL_SEVERITIES = st.sampled_from(list(Severity))

accusations = st.builds(
    lambda time, node, instance, back, status, severity, name: accusation(
        time, node=node, instance=instance, since=time - back, status=status, severity=severity, job=name
    ),
    TIMES,
    st.sampled_from(NODES),
    st.sampled_from(INSTANCES),
    st.sampled_from([0.0, 20.0, 100.0]),
    st.sampled_from([Status.STRAGGLER, Status.FAULT]),
    ALL_SEVERITIES,
    st.sampled_from([*JOBS, None]),
)
others = st.builds(
    lambda time, node, instance, status: verdict(time, node=node, instance=instance, status=status, job=JOBS[0]),
    TIMES,
    st.sampled_from(NODES),
    st.sampled_from(INSTANCES),
    st.sampled_from([Status.OK, Status.WATCH, Status.SILENT]),
)
jobs = st.builds(
    lambda time, status, name, accused: job(time, status, name=name, accused=accused, since=max(0, time - 60)),
    TIMES,
    st.sampled_from(["normal", "slow", "hung", "starting", "ended"]),
    st.sampled_from(JOBS),
    st.sampled_from([(), ("n0",)]),
)
openings = st.builds(
    lambda time, incident, node, instance, severity: opened(
        time, incident=incident, node=node, instance=instance, severity=severity
    ),
    TIMES,
    st.sampled_from(INCIDENTS),
    st.sampled_from(NODES),
    st.sampled_from([*INSTANCES, ""]),
    ALL_SEVERITIES,
)
moves = st.builds(
    lambda time, incident, after: moved(time, after, incident=incident),
    TIMES,
    st.sampled_from(INCIDENTS),
    st.sampled_from(list(NodeState)),
)
proposals = st.builds(
    lambda time, incident, mode, act: record(
        Proposed, time, incident=incident, act=act, subject="n0", intent=f"{incident}-{act}", reason="r", mode=mode
    ),
    TIMES,
    st.sampled_from(INCIDENTS),
    st.sampled_from(["approve", "observe"]),
    st.sampled_from([Act.CORDON, Act.RESTART]),
)
intents = st.builds(
    lambda time, incident, act: record(
        Intent, time, incident=incident, id=f"{incident}-{act}", act=act, subject="n0", expires=1e12, deadline=60.0
    ),
    TIMES,
    st.sampled_from(INCIDENTS),
    st.sampled_from(list(Act)),
)
outcomes = st.builds(
    lambda time, incident, act: record(
        Outcome, time, incident=incident, intent=f"{incident}-{act}", result=Result.DONE
    ),
    TIMES,
    st.sampled_from(INCIDENTS),
    st.sampled_from(list(Act)),
)
alerts = st.builds(
    lambda time, incident, about, severity: record(
        Alert, time, incident=incident, id=f"a-{about}", about=about, severity=severity, text="t", subject="n0"
    ),
    TIMES,
    st.sampled_from([*INCIDENTS, None]),
    st.sampled_from(["held", "refused", "unverified", "blind", "halted", "leftover", "storm"]),
    ALL_SEVERITIES,
)
clearings = st.builds(
    lambda time, about: record(Cleared, time, alert=f"a-{about}", reason="over"),
    TIMES,
    st.sampled_from(["blind", "halted", "leftover"]),
)
denials = st.builds(
    lambda time, incident, rail: record(
        Denied, time, incident=incident, act=Act.CORDON, subject="n0", rail=rail, reason="r"
    ),
    TIMES,
    st.sampled_from([*INCIDENTS, None]),
    st.sampled_from(["window", "spares"]),
)
orders = st.builds(acknowledge, TIMES, st.sampled_from([*NODES, *JOBS]), st.sampled_from(["ana", "bo"]))
rejections = st.builds(
    lambda time, incident: record(
        Applied,
        time,
        incident=incident,
        order="o",
        what="reject",
        subject=f"{incident}-cordon",
        by="a",
        accepted=True,
    ),
    TIMES,
    st.sampled_from(INCIDENTS),
)
looks = st.dictionaries(st.sampled_from(list(Source)), TIMES.map(lambda time: START + time)).map(Looked)
tries = st.builds(
    lambda name, since: Tried(name, since, "away"),
    st.sampled_from(["chat", "pager"]),
    st.none() | TIMES.map(lambda time: START + time),
)
storms = st.builds(breaker, TIMES, st.booleans())
happenings = st.one_of(
    accusations, accusations, others, others, jobs, openings, openings, moves, moves, proposals, intents, outcomes,
    alerts, clearings, denials, orders, rejections, looks, tries, storms,
)  # fmt: skip
DUE = "due"
pauses = st.sampled_from([0.0, 1.0, 5.0, 30.0]) | st.floats(0, 60)
# Every other moment asks what is due.
courses = st.lists(st.tuples(pauses, st.booleans(), happenings), max_size=40).map(
    lambda course: [(pause, DUE if asked else thing) for pause, asked, thing in course]
)
policies = st.builds(
    Paging,
    gather=st.sampled_from([0.0, 10.0]),
    slow=st.sampled_from([0.0, 60.0]),
    silent=st.sampled_from([0.0, 60.0]),
    blind=st.just(10.0),
    trouble=st.just(10.0),
    storm=st.sampled_from([Storm(nodes=1), Storm(nodes=5)]),
    routes=st.sampled_from(
        [
            [],
            [Route(["pager"], severities=[Severity.CRITICAL]), Route(["chat"])],
            [Route(["chat"], jobs=["j0"], further=True), Route(["gone"])],
        ]
    ),
    maintenance=st.sampled_from([[], [Quiet([TimeOfWeek("14:14", 0.1)])]]),
)


def play(policy, course, *, restarts=False, last=100_000.0):
    it = Pager(policy=policy, channels=("chat", "pager"))
    now = 0.0
    for pause, thing in course:
        now += pause
        if restarts:
            it.restart()
        if thing == DUE:
            it.all_due(now)
        else:
            it.hear(now, thing)
    it.all_due(now + 60)
    it.all_due(now + last)
    return it


@settings(max_examples=300, deadline=None)
@given(policies, courses)
def test_each_page_is_told_in_order_and_once(policy, course):
    it = play(policy, course)
    told = defaultdict(list)
    for letter in it.letters:
        told[letter.channel, letter.notice.page].append(letter.notice)
    for notices in told.values():
        assert notices[0].kind is Kind.TRIGGER
        assert all(notice.kind is not Kind.TRIGGER for notice in notices[1:])
        assert all(notice.kind is not Kind.RESOLVE for notice in notices[:-1])
        numbers = [notice.number for notice in notices]
        assert numbers == sorted(set(numbers))
        assert len({(notice.about, notice.since >= 0) for notice in notices}) == 1
    # What stands is told to somebody, and what was told to somebody and does not stand is resolved there.
    standing = {notice.page for notice in pager.standing(it.state, policy, START + 1e9)}
    for (_, page), notices in told.items():
        assert (page in standing) == (notices[-1].kind is not Kind.RESOLVE)
    if not policy.maintenance and not any(thing != DUE and isinstance(thing, Tried) for _, thing in course):
        assert standing <= {page for _, page in told}


@settings(max_examples=150, deadline=None)
@given(policies, courses)
def test_a_restart_at_any_point_changes_nothing(policy, course):
    once, often = play(policy, course), play(policy, course, restarts=True)
    assert once.letters == often.letters
    assert pager.encode(once.state) == pager.encode(often.state)


@settings(max_examples=150, deadline=None)
@given(policies, courses)
def test_what_is_heard_twice_at_once_counts_once(policy, course):
    twice = [entry for pause, thing in course for entry in ((pause, thing), (0.0, thing))]
    assert play(policy, course).letters == play(policy, twice).letters


@settings(max_examples=200, deadline=None)
@given(courses)
def test_without_evidence_nothing_is_resolved(course):
    silent = (Looked, Tried)
    kept = [(pause, thing) for pause, thing in course if thing == DUE or not isinstance(thing, silent)]
    harmless = [(pause, thing) for pause, thing in kept if not proves(thing)]
    it = play(Paging(), harmless)
    instances = {thing.instance for _, thing in harmless if getattr(thing, "instance", "")}
    if len(instances) < 2:
        ends = [letter.notice for letter in it.letters if letter.notice.kind is Kind.RESOLVE]
        assert all(notice.about in ("hung", "slow") for notice in ends)


def proves(thing) -> bool:
    """Whether it may show that something is over: not even silence, a start, or a node that only moves does."""
    closing = getattr(thing, "after", None) in (NodeState.HEALTHY, NodeState.GONE)
    well = getattr(thing, "status", None) in ("ok", "watch", "normal", "ended")
    reset = getattr(thing, "tripped", None) is False
    return closing or well or reset or isinstance(thing, Cleared)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_trouble_is_one_page_in_any_interleaving_of_ledger_and_verdicts(data):
    ledger = [
        opened(5, since=0),
        moved(6, "confirmed"),
        moved(40, "cordoned"),
        moved(400, "healthy", before="held"),
    ]
    verdicts = [accusation(0), accusation(30, since=0), accusation(330, since=0)]
    merged = []
    left = [list(ledger), list(verdicts)]
    while any(left):
        source = data.draw(st.sampled_from([part for part in left if part]))
        merged.append((data.draw(st.floats(0, 30)), source.pop(0)))
        if data.draw(st.booleans()):
            merged.append((0.0, DUE))
    it = play(Paging(), merged)
    triggers = [letter.notice.page for letter in it.letters if letter.notice.kind is Kind.TRIGGER]
    ends = [letter.notice.page for letter in it.letters if letter.notice.kind is Kind.RESOLVE]
    assert len(set(triggers)) == 1
    assert sorted(triggers) == sorted(ends)
