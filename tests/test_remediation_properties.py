"""No sequence of events passes a rail, leaves the state machine, or does anything twice."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from detectors.verdict import Severity, Status
from remediation.clusters.fake import FakeCluster, Trouble, no_trouble
from remediation.controller import State
from remediation.events import Observed, Unobserved
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import Act, Intent, Leader, Moved, Outcome
from remediation.orders import ABOUT_A_NODE, ABOUT_A_PROPOSAL, Command
from remediation.policy import Modes, Otherwise, RepairChoice
from remediation.rail_policy import Attempts, OutOfService, Storm
from remediation.states import TRANSITIONS
from remediation.views import ClusterView, JobState, Repair
from tests.remediation_stage import AUTO, CLUSTER, POLICY, Stage, nodes, replace_struct, verdict

COUNT = 10
NODES = [f"n{i:05}" for i in range(COUNT)]
MODES = st.builds(Modes, *[st.sampled_from(["auto", "auto", "auto", "approve", "recommend", "observe"])] * 5)
SECONDS = st.sampled_from([1.0, 5.0, 30.0, 90.0, 400.0])
JUMPS = st.sampled_from([-1e6, -4000.0, -70.0, 70.0, 4000.0, 1e6])
TROUBLE = st.sampled_from([None, None, None, *Trouble])


class Remediation(RuleBasedStateMachine):
    """One leader after the other, a cluster in which others have hands, and a bus that is slow to read back."""

    @initialize(
        modes=st.one_of(st.just(AUTO), MODES),
        otherwise=st.sampled_from(Otherwise),
        count=st.integers(1, 3),
        storm=st.sampled_from([0.3, 1.0]),
    )
    def begin(self, modes, otherwise, count, storm):
        self.limit = count
        policy = replace_struct(
            POLICY, modes=modes, peers=2, repair=RepairChoice.REBOOT,
            out=OutOfService(count=count, share=0.5, domain=2, job=2), attempts=Attempts(node=2, job=2),
            storm=Storm(share=storm, least=3),
            checkpoint=replace_struct(POLICY.checkpoint, otherwise=otherwise),
        )  # fmt: skip
        fake = FakeCluster(nodes(COUNT, racks=4), frozenset(Repair))
        fake.run("j", NODES[:5])
        self.stage = Stage(fake, policy, check=self.check_decision).lead()

    @rule(seconds=SECONDS)
    def time_passes(self, seconds):
        self.stage.now += seconds

    @rule(seconds=JUMPS)
    def clock_jumps(self, seconds):
        self.stage.now = max(self.stage.now + seconds, 1e5)

    @rule(
        node=st.sampled_from(NODES),
        status=st.sampled_from(Status),
        age=st.sampled_from([0.0, 0.0, 0.0, 2000.0, -500.0]),
        said=st.fixed_dictionaries(
            {
                "severity": st.sampled_from([Severity.WARNING, Severity.CRITICAL]),
                "confidence": st.sampled_from([0.99, 0.5]),
                "job": st.sampled_from(["j", "k", None]),
            },
            optional={"instance": st.just("i-other")},
        ),
    )
    def detector_speaks(self, node, status, age, said):
        self.stage.say(verdict(node, self.stage.now - age, status=status, **said))

    @rule(
        index=st.integers(0, 2),
        job=st.sampled_from(["j", "j", "k"]),
        status=st.sampled_from([Status.FAULT, Status.STRAGGLER]),
        severity=st.sampled_from([Severity.WARNING, Severity.CRITICAL]),
        how=st.tuples(st.sampled_from([5, 15, 45, 150]), st.booleans(), TROUBLE, st.booleans()),
    )
    def somebody_is_really_slow(self, index, job, status, severity, how):
        """What a day looks like: told again and again, acts with trouble in some, and perhaps a crash."""
        seconds, progress, trouble, crash = how
        there = self.stage.cluster.observe(1).jobs.get(job)
        if there is None or not there.nodes:
            return
        self.people_set_it_free()
        node = sorted(there.nodes)[index]
        for second in range(seconds):
            told = trouble if second < 40 else None
            self.stage.cluster.trouble = lambda call, subject, told=told: None if call == "observe" else told
            self.stage.accuse(node, since=self.stage.now - 60, severity=severity, status=status, job=job)
            if progress:
                self.progress(job, second)
            self.stage.step()
            if crash and second in (12, 33, 41):
                self.it_crashes(acted=bool(second % 2))
        self.stage.cluster.trouble = no_trouble

    def people_set_it_free(self):
        if any(isinstance(record, Leader) for record in self.stage.ledger[self.stage.epoch + 1 :]):
            self.stage = self.stage.successor()
        durable = self.stage.state.durable
        if durable.paused:
            self.stage.order(Command.RESUME)
        if durable.tripped:
            self.stage.order(Command.BREAKER_RESET)

    def progress(self, job, second):
        view = self.stage.cluster.observe(1).jobs[job]
        step = 100 + second + 1000 * view.restarts
        asked = self.stage.asked.get(job)
        more = {"checkpoints": asked if asked is not None and step >= asked else 90}
        if view.restarts:
            more["resumed"] = step - 1
        self.stage.progressed(step, job, **more)

    @rule(
        node=st.sampled_from(NODES),
        what=st.sampled_from(["cordon", "uncordon", "recreate", "remove", "down", "out"]),
    )
    def others_change_a_node(self, node, what):
        fake = self.stage.cluster
        there = fake.observe(1).nodes.get(node)
        if there is None:
            fake.change(replace(nodes(COUNT)[NODES.index(node)], instance="i-new", identity="uid-new"))
        elif what == "cordon":
            fake.cordon_as_person(node, "bad fan")
        elif what == "uncordon":
            fake.uncordon_as_person(node)
        elif what == "recreate":
            fake.recreate(node)
        elif what == "remove":
            fake.remove(node)
        elif what == "down":
            fake.change(replace(there, ready=not there.ready))
        else:
            fake.change(replace(there, opted_out=not there.opted_out))

    @rule(owner=st.booleans(), ends=st.sampled_from([None, 1e12, 1_000_100.0]))
    def a_job_begins(self, owner, ends):
        fake = self.stage.cluster
        view = fake.observe(1)
        for name in ("j", "k"):
            job = view.jobs.get(name)
            free = sorted(n.name for n in view.nodes.values() if n.ready and not n.cordoned and not n.jobs)
            if (job is None or job.state is JobState.ENDED) and len(free) >= 3:
                fake.run(name, free[:3], ends)
                if owner:
                    fake.own_restarts(name, "auto-resume")
                return

    @rule(job=st.sampled_from(["j", "k"]))
    def a_job_ends(self, job):
        there = self.stage.cluster.observe(1).jobs.get(job)
        if there is not None and there.state is not JobState.ENDED:
            self.stage.cluster.stop(job)

    @rule(step=st.integers(0, 10000), written=st.booleans(), step_time=st.sampled_from([None, 0.1, 30.0]))
    def a_job_goes_on(self, step, written, step_time):
        more = {"checkpoints": step} if written else {}
        if "j" in self.stage.cluster.observe(1).jobs:
            self.stage.progressed(step, step_time=step_time, **more)

    @rule(what=st.sampled_from(["seen", "seen", "seen", "unseen", "empty"]))
    def the_cluster_is_looked_at(self, what):
        if what == "seen":
            self.stage.observe()
        else:
            self.stage.tell(Unobserved("gone") if what == "unseen" else Observed(ClusterView({}, {})))

    @rule(command=st.sampled_from(Command), node=st.sampled_from(NODES))
    def a_person_orders(self, command, node):
        if command in ABOUT_A_PROPOSAL:
            proposed = sorted(self.stage.state.durable.proposed) or ["none"]
            self.stage.order(command, proposed[-1])
        else:
            self.stage.order(command, node if command in ABOUT_A_NODE else "")

    @rule()
    def it_decides(self):
        records = self.stage.decide()
        self.stage.append(*(record for record in records if record.epoch == self.stage.epoch))

    @rule(count=st.integers(1, 5))
    def some_records_are_read_back(self, count):
        for _ in range(count):
            if self.stage.read < len(self.stage.ledger):
                self.stage.read_one()

    @rule(trouble=TROUBLE)
    def an_act_is_performed(self, trouble):
        stage = self.stage
        newest = max(i for i, record in enumerate(stage.ledger) if isinstance(record, Leader))
        if newest != stage.epoch:
            return
        stage.cluster.trouble = lambda call, subject: None if call == "observe" else trouble
        for intent in stage.due()[:1]:
            self.check_act(intent)
            stage.perform(intent)
        stage.cluster.trouble = no_trouble

    @rule(seconds=st.integers(1, 60))
    def all_goes_well_for_a_while(self, seconds):
        self.stage.run(seconds)

    @rule(acted=st.booleans())
    def it_crashes(self, acted):
        if acted:
            for intent in self.stage.due()[:1]:
                count = len(self.stage.ledger)
                self.stage.perform(intent)
                del self.stage.ledger[count:]
        self.stage = self.stage.successor()

    @rule()
    def another_leads(self):
        stage = self.stage
        stage.append(
            Leader(id=f"l{len(stage.ledger)}", cluster=CLUSTER, time=stage.now, process="x", deadline=60.0)
        )

    @precondition(lambda self: self.stage.read == len(self.stage.ledger))
    @invariant()
    def the_durable_part_is_a_fold_over_the_ledger(self):
        durable = Durable()
        for offset, record in enumerate(self.stage.ledger):
            before = durable
            durable = fold(durable, record, offset)
            if isinstance(record, Moved) and durable != before:
                assert record.after in TRANSITIONS[record.before]
        assert durable == self.stage.state.durable

    @invariant()
    def the_state_is_whole(self):
        durable = self.stage.state.durable
        subjects = [intent.subject for intent in durable.alive.values()]
        assert len(subjects) == len(set(subjects))
        assert {i.node: i.id for i in durable.incidents.values()} == durable.by_node
        assert not durable.incidents.keys() & durable.closed.keys()
        for intent in durable.alive.values():
            assert intent.incident in durable.incidents or intent.incident in durable.closed
        assert len(self.stage.state.orders) < 1000

    @invariant()
    def no_more_nodes_are_out_because_of_guard_than_may_be(self):
        stamped = [n for n in self.stage.cluster.observe(1).nodes.values() if n.incident is not None]
        ordered = {i.node for i in self.incidents() if i.ordered is not None}
        assert len([n for n in stamped if n.name not in ordered]) <= self.limit

    @invariant()
    def one_intent_has_one_outcome_that_counts_and_one_id_is_one_act(self):
        counted = [deed.intent.id for deeds in self.stage.state.durable.deeds.values() for deed in deeds]
        assert len(counted) == len(set(counted))

    def incidents(self):
        durable = self.stage.state.durable
        return [*durable.incidents.values(), *durable.closed.values()]

    def check_decision(self, state: State, records) -> None:
        """What was decided, against the state as it was and the records before it."""
        durable = state.durable
        for record in records:
            if isinstance(record, Moved):
                assert durable.incidents[record.incident].state is record.before
                assert record.after in TRANSITIONS[record.before]
            if isinstance(record, Intent):
                self.check_intent(state, durable, record)
            after = fold(durable, record)
            assert after is not durable or isinstance(record, Outcome), f"decided for nothing: {record}"
            durable = after

    def check_intent(self, state: State, durable: Durable, intent: Intent) -> None:
        stage, now = self.stage, self.stage.now
        look = state.picture.look
        incident = durable.incidents.get(intent.incident) or durable.closed[intent.incident]
        assert look is not None
        assert look.view.nodes
        assert abs(now - look.time) <= stage.policy.view_age
        node = look.view.nodes[incident.node]
        assert not durable.alive_for(intent.subject)
        ordered = (
            incident.ordered is not None and incident.ordered.what == Command.CORDON and intent.act is Act.CORDON
        )
        if intent.act is Act.RELEASE:
            assert node.incident == incident.id
            return
        assert not node.opted_out
        if ordered:
            return
        assert not durable.tripped
        assert durable.paused is None
        mode = getattr(stage.policy.modes, intent.act)
        assert mode == "auto" or (mode == "approve" and intent.approved_by)
        assert (
            sum(d.intent.act is intent.act and now - d.intent.time < 3600 for d in durable.recent)
            < stage.policy.actions
        )
        if intent.act is not Act.REPAIR:
            heard = state.picture.heard.get(incident.node)
            silent = heard.verdict.status is Status.SILENT and intent.act is Act.RESTART
            said = heard.accusation if silent else heard.verdict
            assert said is not None
            assert said.accused
            assert said.instance == incident.instance
            assert -60 <= now - said.time <= stage.policy.verdict_age
            assert said.confidence >= stage.policy.confidence
        if intent.act is Act.CORDON:
            out = {n.name for n in look.view.nodes.values() if n.cordoned or not n.ready}
            out |= {i.node for i in durable.incidents.values() if i.state in ("cordoned", "draining", "held")}
            out |= {i.subject for i in durable.alive.values() if i.act is Act.CORDON}
            assert len(out - {incident.node}) < min(self.limit, max(1, int(0.5 * len(look.view.nodes))))
            assert not node.cordoned
        if intent.act is Act.RESTART:
            job = look.view.jobs[intent.subject]
            assert job.restarted_by is None
            assert node.cordoned
            assert node.incident == incident.id

    def check_act(self, intent: Intent) -> None:
        stage = self.stage
        assert intent.epoch == stage.epoch
        assert intent.id in stage.state.durable.alive
        assert stage.now <= intent.expires

    def teardown(self):
        """In the end, with everybody quiet: nothing of ours stands that no open incident or alert accounts for."""
        if not hasattr(self, "stage"):
            return
        self.stage = self.stage.successor()
        # Waits grow to an hour and more; a second of the shell is made as long as that allows.
        for _ in range(60):
            self.stage.step(60.0)
        durable = self.stage.state.durable
        for node in self.stage.cluster.observe(1).nodes.values():
            if node.incident is not None and node.incident not in durable.incidents:
                self.check_leftover(node.incident)

    def check_leftover(self, incident: str) -> None:
        about = [r for r in self.stage.ledger if getattr(r, "about", "") == "leftover" and r.incident == incident]
        releases = [
            r for r in self.stage.ledger if r.incident == incident and getattr(r, "act", "") == Act.RELEASE
        ]
        assert about or releases


TestRemediation = Remediation.TestCase
TestRemediation.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRemediation.pytestmark = [pytest.mark.timeout(400)]
