"""No sequence of events passes a rail, leaves the state machine, or does anything twice.

The machine below plays operators, detectors, hardware and a shaky shell; `Witness` says after every decision
whether each rail's promise was kept. `test_remediation_mutants.py` shows that it would notice.
"""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from detectors.verdict import Severity, Status
from remediation.clusters.fake import FakeCluster, Trouble, no_trouble
from remediation.events import Observed, Unobserved
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import Act, Leader
from remediation.orders import ABOUT_A_NODE, ABOUT_A_PROPOSAL, Command
from remediation.policy import Policy
from remediation.views import ClusterView, JobState, Repair
from tests.remediation_happenings import (
    ABOUT_ILLNESS,
    ABOUT_THE_CLUSTER,
    COUNT,
    KINDS,
    MEANWHILE,
    NODES,
    PASSING,
    PENDING,
    SICK,
    STUMBLES,
    TROUBLE,
    WHO,
    Illness,
)
from tests.remediation_limits import policies
from tests.remediation_stage import CLUSTER, Stage, nodes, verdict
from tests.remediation_witness import Witness


class Remediation(RuleBasedStateMachine):
    """One leader after the other, a cluster in which others have hands, and a bus that is slow to read back."""

    @initialize(
        policy=policies(),
        sizes=st.tuples(st.integers(2, 4), st.sampled_from([3, 3, 2, 5]), st.sampled_from([2, 0])),
        owner=st.sampled_from([None, None, None, "auto-resume"]),
        away=st.lists(st.tuples(st.sampled_from(NODES), st.booleans()), max_size=2),
    )
    def begin(self, policy: Policy, sizes, owner, away):
        racks, first, second = sizes
        self.limit = policy.out.count
        self.fake = FakeCluster(nodes(COUNT, racks=racks), frozenset(Repair))
        self.fake.run("j", NODES[:first])
        if owner:
            self.fake.own_restarts("j", owner)
        if second:
            self.fake.run("k", NODES[5 : 5 + second])
        for node, cordoned in away:
            self.others_do("cordon" if cordoned else "down", node)
        self.ill: dict[str, Illness] = {}
        self.steps = {"j": 100.0, "k": 100.0}
        self.folded, self.durable = 0, Durable()
        self.stage = Stage(self.fake, policy, witness=Witness(policy)).lead()

    # --- hardware and detectors -----------------------------------------------------------------------------

    @rule(which=WHO, how=SICK, meanwhile=st.sampled_from(MEANWHILE), then=PASSING)
    def a_node_falls_ill(self, which, how, meanwhile, then):
        """Then somebody does something; then time passes."""
        self.people_set_it_free()
        node = self.pick(which)
        self.falls_ill(node, how)
        when, what = meanwhile
        self.passes(**{**then, "count": when})
        self.happens(what, node)
        self.passes(**then)

    @rule(first=WHO, count=st.integers(2, 3), how=SICK, then=PASSING)
    def nodes_fall_ill_at_once(self, first, count, how, then):
        self.people_set_it_free()
        for which in range(first, first + count):
            self.falls_ill(self.pick(which), how)
        self.passes(**then)

    @rule(first=WHO, count=st.integers(2, 3), how=SICK, then=PASSING)
    def nodes_fall_ill_one_after_another(self, first, count, how, then):
        self.people_set_it_free()
        for which in range(first, first + count):
            self.falls_ill(self.pick(which), how)
            self.passes(**{**then, "count": 6})

    @rule(which=WHO, by_order=st.booleans(), unseen=st.booleans(), how=SICK, then=PASSING)
    def a_node_comes_back_and_falls_ill_again(self, which, by_order, unseen, how, then):
        self.people_set_it_free()
        node = self.pick(which)
        for _ in range(2):
            self.falls_ill(node, {**how, "severity": Severity.CRITICAL})
            self.passes(**{**then, "count": 6})
            self.ill.pop(node, None)
            if unseen:
                self.stage.tell(Unobserved("gone"))
            if by_order:
                self.stage.order(Command.RELEASE, node)
            elif node in self.fake.observe(1).nodes:
                self.fake.uncordon_as_person(node)
            self.passes(**{**then, "count": 3})

    @rule(which=WHO, how=SICK, what=st.sampled_from(PENDING), then=PASSING)
    def a_checkpoint_is_waited_for(self, which, how, what, then):
        """And something happens meanwhile."""
        self.people_set_it_free()
        node = self.pick(which)
        self.falls_ill(node, {**how, "severity": Severity.WARNING, "status": Status.STRAGGLER})
        well = {"pace": 3.0, "trouble": None, "writes": "asked", "blind": False}
        self.passes(count=4, **well)
        self.happens(what, node)
        self.passes(**{**well, "count": 12, "writes": then["writes"]})

    def people_set_it_free(self):
        durable = self.stage.state.durable
        if durable.paused:
            self.stage.order(Command.RESUME)
        if durable.tripped:
            self.stage.order(Command.BREAKER_RESET)

    def falls_ill(self, node, how):
        there = self.fake.observe(1).nodes.get(node)
        if there is not None and there.instance is not None:
            job = next(iter(sorted(there.jobs)), None)
            self.ill[node] = Illness(since=self.stage.now, instance=there.instance, job=job, **how)

    def happens(self, what, node):
        if what in ABOUT_ILLNESS and node in self.ill:
            self.changes(node, what)
        elif what in ABOUT_THE_CLUSTER and node in self.fake.observe(1).nodes:
            self.others_do(what, node)
        elif what == "pause":
            self.stage.order(Command.PAUSE)
        elif what == "later":
            self.stage.now += 1000

    @rule(
        which=WHO,
        what=st.sampled_from(ABOUT_ILLNESS),
        then=PASSING,
    )
    def an_illness_changes(self, which, what, then):
        if self.ill:
            self.changes(sorted(self.ill)[which % len(self.ill)], what)
        self.passes(**then)

    def changes(self, node, what):
        known = self.ill.pop(node)
        if what == "well":
            return
        changes = {
            "silent": {"status": Status.SILENT},
            "ok": {"status": Status.OK},
            "untold": {"told": False},
            "unsure": {"confidence": 0.5},
            "sure": {"confidence": 0.99, "lag": 0.0, "told": True},
            "other": {"instance": "i-other"},
        }
        self.ill[node] = replace(known, **changes[what])

    def pick(self, which):
        """Mostly a node with work on it, or one that something is already about: there the rails matter."""
        busy = sorted(node.name for node in self.fake.observe(1).nodes.values() if node.jobs)
        about = sorted({*self.ill, *self.stage.state.durable.by_node})
        among = (busy, about, NODES)[which % 3] if which < 10 else busy
        return (among or NODES)[which // 3 % len(among or NODES)]

    # --- time -----------------------------------------------------------------------------------------------

    @rule(then=PASSING)
    def time_passes(self, then):
        self.passes(**then)

    def passes(self, count, pace, trouble, writes, blind):
        self.somebody_leads()
        unseen = Trouble.UNAVAILABLE if blind else None
        self.fake.trouble = lambda call, _: unseen if call == "observe" else trouble
        for _ in range(count):
            self.detectors_speak()
            self.jobs_go_on(pace, writes)
            self.stage.step(pace)
        self.fake.trouble = no_trouble

    def detectors_speak(self):
        now = self.stage.now
        for node, ill in self.ill.items():
            if ill.told:
                said = {"severity": ill.severity} if ill.status in KINDS else {}
                self.stage.say(
                    verdict(
                        node, now - ill.lag, status=ill.status, since=ill.since, job=ill.job,
                        confidence=ill.confidence, instance=ill.instance, **said,
                    )
                )  # fmt: skip

    def jobs_go_on(self, pace, writes):
        if writes == "untold":
            return
        kept, self.fake.trouble = self.fake.trouble, no_trouble
        for job, there in self.fake.observe(1).jobs.items():
            if there.state is JobState.RUNNING:
                self.steps[job] += pace
                step = int(self.steps[job])
                asked = self.stage.asked.get(job, step + 1)
                more = {} if writes == "never" else {"checkpoints": 0}
                if writes == "asked":
                    more = {"checkpoints": asked if asked <= step else step - 30}
                if there.restarts:
                    more["resumed"] = step - 1
                self.stage.progressed(step, job, step_time=0.8**there.restarts, **more)
        self.fake.trouble = kept

    def somebody_leads(self):
        if any(isinstance(record, Leader) for record in self.stage.ledger[self.stage.epoch + 1 :]):
            self.stage = self.stage.successor()

    @rule(seconds=st.sampled_from([20.0, 70.0, 400.0, 400.0, 1000.0, 4000.0, -1e6, -4000.0, -600.0, -70.0, 1e6]))
    def the_clock_jumps(self, seconds):
        self.stage.now = max(self.stage.now + seconds, 1e5)

    # --- people, and other tools ----------------------------------------------------------------------------

    @rule(
        which=WHO,
        what=st.sampled_from(ABOUT_THE_CLUSTER),
    )
    def others_change_a_node(self, which, what):
        node = self.pick(which)
        if node in self.fake.observe(1).nodes:
            self.others_do(what, node)
        else:
            self.fake.change(replace(nodes(COUNT)[NODES.index(node)], instance="i-new", identity="uid-new"))

    def others_do(self, what, node):
        there = self.fake.observe(1).nodes[node]
        if what == "cordon":
            self.fake.cordon_as_person(node, "bad fan")
        elif what == "uncordon":
            self.fake.uncordon_as_person(node)
        elif what == "recreate":
            self.fake.recreate(node)
        elif what == "remove":
            self.fake.remove(node)
        elif what == "down":
            self.fake.change(replace(there, ready=not there.ready))
        elif what == "rename":
            self.fake.change(replace(there, identity=f"{there.identity}+"))
        else:
            self.fake.change(replace(there, opted_out=not there.opted_out))

    @rule(
        job=st.sampled_from(["j", "j", "k"]),
        size=st.integers(2, 3),
        owner=st.sampled_from([None, None, "auto-resume"]),
        ends=st.sampled_from([None, 1e12, 1_000_100.0]),
    )
    def a_job_ends_or_begins(self, job, size, owner, ends):
        view = self.fake.observe(1)
        there = view.jobs.get(job)
        if there is not None and there.state is not JobState.ENDED:
            self.fake.stop(job)
            return
        free = sorted(n.name for n in view.nodes.values() if n.ready and not n.cordoned and not n.jobs)
        if len(free) >= size:
            self.fake.run(job, free[:size], ends)
            if owner:
                self.fake.own_restarts(job, owner)

    @rule(command=st.sampled_from([*Command, *ABOUT_A_NODE, Command.PAUSE, Command.APPROVE]), which=WHO)
    def a_person_orders(self, command, which):
        if command in ABOUT_A_PROPOSAL:
            proposed = sorted(self.stage.state.durable.proposed) or ["none"]
            self.stage.order(command, proposed[which % len(proposed)])
        else:
            self.stage.order(command, self.pick(which) if command in ABOUT_A_NODE else "")

    # --- the shell, its bus and its rivals ------------------------------------------------------------------

    @rule(
        what=st.lists(
            st.sampled_from(STUMBLES),
            min_size=1,
            max_size=5,
        ),
        trouble=TROUBLE,
    )
    def the_shell_stumbles(self, what, trouble):
        self.fake.trouble = lambda call, _: None if call == "observe" else trouble
        for step in what:
            self.stumble(step)
        self.fake.trouble = no_trouble

    def stumble(self, step):
        stage = self.stage
        newest = max(i for i, record in enumerate(stage.ledger) if isinstance(record, Leader))
        if step == "decide":
            stage.append(*(record for record in stage.decide() if record.epoch == stage.epoch))
        elif step == "read" and stage.read < len(stage.ledger):
            stage.read_one()
        elif step == "read all":
            stage.read_back()
        elif step == "act" and newest == stage.epoch:
            for intent in stage.due()[:1]:
                stage.perform(intent)
        elif step in ("unseen", "few", "none"):
            self.looks_wrongly(step)
        elif step == "follow":
            name = f"l{len(stage.ledger)}"
            stage.append(Leader(id=name, cluster=CLUSTER, time=stage.now, process="x", deadline=60.0))
        elif step == "lose":
            self.crashes(acts=newest == stage.epoch)

    def looks_wrongly(self, how):
        view = self.fake.observe(1)
        shown = dict(list(view.nodes.items())[:4]) if how == "few" else {}
        self.stage.tell(Unobserved("gone") if how == "unseen" else Observed(ClusterView(shown, view.jobs)))

    def crashes(self, *, acts):
        """After an act, and before its outcome is written; another takes over."""
        for intent in self.stage.due()[:1] if acts else ():
            count = len(self.stage.ledger)
            self.stage.perform(intent)
            del self.stage.ledger[count:]
        self.stage = self.stage.successor()

    # --- what holds at all times, beside what the witness says -----------------------------------------------

    @precondition(lambda self: self.stage.read == len(self.stage.ledger))
    @invariant()
    def the_durable_part_is_a_fold_over_the_ledger(self):
        for offset, record in enumerate(self.stage.ledger[self.folded :], self.folded):
            self.durable = fold(self.durable, record, offset)
        self.folded = len(self.stage.ledger)
        assert self.durable == self.stage.state.durable

    @invariant()
    def the_state_is_whole(self):
        durable = self.stage.state.durable
        subjects = [intent.subject for intent in durable.alive.values()]
        assert len(subjects) == len(set(subjects))
        assert {i.node: i.id for i in durable.incidents.values()} == durable.by_node
        assert not durable.incidents.keys() & durable.closed.keys()
        for intent in durable.alive.values():
            assert intent.incident in durable.incidents or intent.incident in durable.closed
        counted = [deed.intent.id for deeds in durable.deeds.values() for deed in deeds]
        assert len(counted) == len(set(counted))
        assert len(self.stage.state.orders) < 1000

    @invariant()
    def no_more_nodes_are_out_because_of_guard_than_may_be(self):
        durable = self.stage.state.durable
        stamped = [n for n in self.fake.observe(1).nodes.values() if n.incident is not None]
        known = [*durable.incidents.values(), *durable.closed.values()]
        ordered = {i.node for i in known if i.ordered is not None}
        assert len([n for n in stamped if n.name not in ordered]) <= self.limit

    def teardown(self):
        """In the end, with everybody quiet: nothing of ours stands that no open incident or alert accounts for."""
        if not hasattr(self, "stage"):
            return
        self.fake.trouble = no_trouble
        self.stage = self.stage.successor()
        # Waits grow to an hour and more; a second of the shell is made as long as that allows.
        for _ in range(20):
            self.stage.step(120.0)
        durable = self.stage.state.durable
        for node in self.fake.observe(1).nodes.values():
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
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRemediation.pytestmark = [pytest.mark.timeout(400)]
