"""What each rail promises, said a second time, from what was told and what the ledger holds.

Nothing of `remediation` that decides is asked here: neither rails nor the fold, the picture or the sums. So what
`docs/remediation.md` says is written down twice, and a rail that is off, or is asked at the wrong time, shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detectors.verdict import Status
from remediation.ledger import Act, Intent, Leader, Moved, Record, Result
from remediation.policy import Otherwise, Policy
from remediation.views import JobView, NodeView
from tests.remediation_history import GIVING_BACK, OUT, History, Trouble
from tests.remediation_knowledge import DAY, HOUR, Knowledge

WHILE = {
    Act.CORDON: ("confirmed",),
    Act.CHECKPOINT: ("confirmed", "draining"),
    Act.RESTART: ("draining",),
    Act.REPAIR: ("draining", "held"),
}


@dataclass(frozen=True)
class Case:
    """An intent, with what it is about as the newest look shows it."""

    intent: Intent
    trouble: Trouble
    node: NodeView | None
    job: JobView | None


class Witness(Knowledge):
    """Hears what one process hears, and judges what it writes and does."""

    def __init__(self, policy: Policy, done: set[str] | None = None) -> None:
        super().__init__(policy)
        self.done: set[str] = set() if done is None else done

    def successor(self) -> "Witness":
        return Witness(self.policy, self.done)

    # --- what is decided and done ---------------------------------------------------------------------------

    def judges(self, records: tuple[Record, ...], now: float) -> None:
        """What was decided at `now`: each record counts for those after it."""
        if not any(isinstance(record, (Intent, Moved)) for record in records):
            return
        self.now = now
        kept, self.history = self.history, History.of(self.read)
        for record in records:
            if isinstance(record, Intent):
                broken = self.broken(record)
                assert broken is None, f"in spite of {broken}: {record}"
            elif isinstance(record, Moved):
                self._judges_move(record)
            self.history.add(record)
        self.history = kept

    def performs(self, intent: Intent, now: float, ledger: list[Record], epoch: int) -> None:
        """Something is about to be done to the world."""
        newest = max(i for i, record in enumerate(ledger[: len(self.read)]) if isinstance(record, Leader))
        assert epoch == newest == intent.epoch, f"acts without leading: {intent}"
        assert intent.id not in self.done, f"acts twice: {intent}"
        self.done.add(intent.id)
        assert any(tried.intent.id == intent.id for tried in self.history.under_way()), f"not read back: {intent}"
        assert intent.time - 60 <= now <= intent.expires, f"acts late: {intent}"
        trouble = self.history.troubles[intent.incident]
        if intent.act is not Act.RELEASE and not (intent.act is Act.CORDON and trouble.ordered("cordon")):
            assert not self.history.tripped, f"acts after a storm: {intent}"
            assert not self.history.pause(now), f"acts though paused: {intent}"
            assert not trouble.over

    def _judges_move(self, moved: Moved) -> None:
        trouble = self.history.troubles[moved.incident]
        assert trouble.state == moved.before, f"moves from where it is not: {moved}"
        node = self._node(trouble)
        stamped = node is not None and node.cordoned and node.incident == trouble.name
        if moved.before in OUT and moved.after == "healthy":
            assert not stamped, f"given back, and cordoned: {moved}"
        if moved.after == "confirmed" and not stamped and not trouble.ordered("cordon"):
            wait = self.policy.confirm.critical if self._severe(trouble) else self.policy.confirm.warning
            newest = self._newest(trouble)
            assert moved.before == "suspect", f"not suspect first: {moved}"
            assert newest is not None
            assert newest.accused
            assert self.now - trouble.moved >= wait, f"confirmed early: {moved}"

    def broken(self, intent: Intent) -> str | None:
        """The first promise that the intent breaks now; None: it keeps all."""
        trouble = self.history.troubles[intent.incident]
        case = Case(intent, trouble, self._node(trouble), self._job(trouble))
        rules = [*ALWAYS]
        if intent.act is Act.RELEASE:
            rules += RELEASE
        elif intent.act is Act.CORDON and trouble.ordered("cordon"):
            rules += ORDERED
        else:
            rules += [*ORDERED, *HARM]
            rules += ACCUSED if intent.act is not Act.REPAIR else ()
            rules += TAKING if intent.act in (Act.CORDON, Act.RESTART) else ()
            rules += CORDON if intent.act is Act.CORDON else ()
            rules += RESTART if intent.act is Act.RESTART else ()
        return next((name for name, kept in rules if not kept(self, case)), None)

    # --- what must be so ------------------------------------------------------------------------------------

    def state(self, case: Case) -> bool:
        wanted = WHILE.get(case.intent.act)
        return wanted is None or (case.trouble.state in wanted and not case.trouble.over)

    def alone(self, case: Case) -> bool:
        return all(tried.intent.subject != case.intent.subject for tried in self.history.under_way())

    def waits(self, case: Case) -> bool:
        before = self.history.tried(case.intent)
        if not before:
            return True
        wait = self.policy.attempts.again * 2 ** min(len(before) - 1, 8)
        return before[-1].ended is not None and self.now - before[-1].ended >= wait

    def one_repair(self, case: Case) -> bool:
        if case.intent.act is not Act.REPAIR:
            return True
        return all(tried.result is Result.FAILED for tried in self.history.tried(case.intent))

    def mode(self, case: Case) -> bool:
        intent, trouble = case.intent, case.trouble
        if trouble.ordered(*GIVING_BACK) and intent.act is Act.RELEASE and not trouble.over:
            return True
        if intent.act is Act.CORDON and trouble.ordered("cordon"):
            return True
        mode = getattr(self.policy.modes, intent.act)
        given = self.history.approvals.get((trouble.name, intent.act, intent.subject, intent.restarts))
        approved = given is not None and given.time - 60 <= self.now <= given.expires
        return mode == "auto" or (mode == "approve" and approved)

    def seen(self, case: Case) -> bool:
        return self._sees() and case.node is not None

    def stamp(self, case: Case) -> bool:
        """Only what carries our stamp is undone, and only once no open incident needs it, or a person said so."""
        node = self.view.nodes[case.trouble.node]
        needless = case.trouble.over or case.trouble.ordered(*GIVING_BACK)
        return node.cordoned and node.incident == case.trouble.name and needless

    def pause(self, _: Case) -> bool:
        return not self.history.pause(self.now)

    def breaker(self, _: Case) -> bool:
        return not self.history.tripped

    def storm(self, _: Case) -> bool:
        """So many nodes accused within the window since the breaker last changed, and it has not tripped."""
        rule, total = self.policy.storm, len(self.view.nodes)
        since = {t.node: t.opened.time for t in self.history.troubles.values() if t.opened.severity != "info"}
        begun = [
            time
            for time in since.values()
            if 0 < self.now - time < rule.window and (self.history.broke is None or time > self.history.broke)
        ]
        return len(begun) < rule.least or len(begun) < rule.share * total or self.history.broke is not None

    def maintenance(self, _: Case) -> bool:
        now = datetime.fromtimestamp(self.now, UTC)
        for window in self.policy.maintenance:
            clock = datetime.strptime(window.start, "%H:%M").replace(tzinfo=UTC)
            for back in (0, 1):
                begin = clock.replace(year=now.year, month=now.month, day=now.day) - timedelta(days=back)
                named = not window.days or f"{begin:%A}".lower() in window.days
                if named and begin <= now < begin + timedelta(hours=window.hours):
                    return False
        return True

    def opt_out(self, case: Case) -> bool:
        return case.node is None or not case.node.opted_out

    def foreign_cordon(self, case: Case) -> bool:
        ours = case.node is not None and case.node.cordoned and case.node.incident == case.trouble.name
        if case.intent.act in (Act.RESTART, Act.REPAIR):
            return ours
        return case.node is None or ours or not case.node.cordoned

    def accused(self, case: Case) -> bool:
        newest = self._newest(case.trouble)
        silent = newest is not None and newest.status is Status.SILENT and case.intent.act is Act.RESTART
        return newest is not None and (newest.accused or (silent and case.trouble.node in self.accusations))

    def verdict_age(self, case: Case) -> bool:
        said = self._accusation(case.trouble)
        return said is not None and -60 <= self.now - said.time <= self.policy.verdict_age

    def confidence(self, case: Case) -> bool:
        said = self._accusation(case.trouble)
        return said is not None and said.confidence >= self.policy.confidence

    def peers(self, case: Case) -> bool:
        if self._severe(case.trouble):
            return True
        others = case.job.nodes if case.job is not None else self.view.nodes.keys()
        return len(others - self._out() - {case.trouble.node}) >= self.policy.peers

    def cool_down(self, case: Case) -> bool:
        rule, opened = self.policy.cool_down, case.trouble.opened
        ended = [
            other.moved
            for other in self.history.troubles.values()
            if (other.node, other.opened.instance, other.state) == (opened.node, opened.instance, "healthy")
            and other.over
            and self.now - other.moved < rule.forget
        ]
        return not ended or self.now - max(ended) >= min(rule.first * 2 ** (len(ended) - 1), rule.longest)

    def node_attempts(self, case: Case) -> bool:
        cordons = {t.intent.incident for t in self._tries(Act.CORDON, DAY) if t.node == case.trouble.node}
        return len(cordons - {case.trouble.name}) < self.policy.attempts.node

    def attempts(self, case: Case) -> bool:
        tried = [t for t in self.history.tried(case.intent) if t.result is not Result.SUPERSEDED]
        return len(tried) < self.policy.attempts.act

    def actions(self, case: Case) -> bool:
        act = case.intent.act
        return act is Act.CHECKPOINT or len(self._tries(act, HOUR)) < self.policy.actions

    def out_of_service(self, case: Case) -> bool:
        rule = self.policy.out
        limit = min(rule.count, max(1, int(rule.share * len(self.view.nodes))))
        return len((self._out() | self._ours()) - {case.trouble.node}) < limit

    def fault_domain(self, case: Case) -> bool:
        nodes, mine = self.view.nodes, case.trouble.node
        out = [nodes[name] for name in (self._out() | self._ours()) - {mine} if name in nodes]
        there = nodes[mine].domains.items()
        return all(sum(kind in n.domains.items() for n in out) < self.policy.out.domain for kind in there)

    def job_nodes(self, case: Case) -> bool:
        if case.trouble.job is None:
            return True
        ours = self._ours()
        taken = {t.node for t in self.history.open() if t.job == case.trouble.job and t.node in ours}
        taken |= case.job.nodes & self._out() if case.job is not None else set()
        return len(taken - {case.trouble.node}) < self.policy.out.job

    def spares(self, case: Case) -> bool:
        if case.job is None:
            return True
        away = self._out() | self._ours()
        idle = [n for n in self.view.nodes.values() if n.name not in away and not n.jobs and not n.opted_out]
        coming = {t.intent.incident for t in self.history.under_way() if t.intent.act is Act.CORDON}
        promised = [
            t
            for t in self.history.open()
            if t is not case.trouble
            and (t.name in coming or t.state in ("cordoned", "draining"))
            and self._job(t) is not None
        ]
        return max(len(idle) - len(promised), 0) >= self.policy.spares

    def restart_owner(self, case: Case) -> bool:
        if case.job is None or case.job.restarted_by is not None:
            return False
        waits = any(job == case.job.name and n < case.job.restarts for job, n in self.history.unseen)
        return self._severe(case.trouble) or not waits

    def restart_budget(self, case: Case) -> bool:
        of_job = [t.intent for t in self._tries(Act.RESTART, DAY) if t.intent.subject == case.intent.subject]
        return len({intent.restarts for intent in of_job} - {case.job.restarts}) < self.policy.attempts.job

    def economy(self, case: Case) -> bool:
        given, trouble, job = self.policy.economy, case.trouble, case.job
        said, severe = self._accusation(trouble), self._severe(trouble)
        asked = bool(self.policy.checkpoint.path) and not severe
        asks = asked and (trouble.name, job.restarts) not in self.history.checkpoints
        lost = self._loses(job)
        cost = given.restart + (given.checkpoint if asks else given.lost_work if lost is None else lost)
        left = given.remaining if job.ends is None else job.ends - self.now
        slow = 1.0 if severe else (said.slowdown if said else trouble.opened.slowdown) or 0.0
        return left * slow * (said.confidence if said else 0.0) > cost

    def checkpoint_age(self, case: Case) -> bool:
        if self._severe(case.trouble):
            return True
        rule, lost = self.policy.checkpoint, self._loses(case.job)
        came = self.history.checkpoints.get((case.trouble.name, case.job.restarts))
        if lost is not None and lost > rule.age:
            return False
        if came is not None and came.complete:
            return True
        return rule.otherwise is Otherwise.GO_ON or (came is None and lost is not None)


Rule = tuple[str, Callable[[Witness, Case], bool]]


def _named(*kept: Callable[[Witness, Case], bool]) -> tuple[Rule, ...]:
    return tuple((rule.__name__.replace("_", "-"), rule) for rule in kept)


W = Witness
ALWAYS = (*_named(W.state, W.alone, W.waits, W.one_repair, W.mode), ("view", W.seen))
RELEASE = _named(W.stamp)
ORDERED = _named(W.opt_out, W.foreign_cordon)
HARM = _named(W.pause, W.breaker, W.storm, W.maintenance, W.attempts, W.actions)
ACCUSED = _named(W.accused, W.verdict_age, W.confidence)
TAKING = _named(W.peers, W.spares)
CORDON = _named(W.cool_down, W.node_attempts, W.out_of_service, W.fault_domain, W.job_nodes)
RESTART = _named(W.restart_owner, W.restart_budget, W.economy, W.checkpoint_age)
