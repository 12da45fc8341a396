"""A stage for the controller: a fake cluster, a ledger in memory, and a shell without threads or a bus."""

from dataclasses import dataclass, field, replace

from detectors.verdict import JobAttempt, JobVerdict, Role, Severity, Status, Verdict, identify
from remediation.clusters.fake import FakeCluster
from remediation.clusters.protocol import ClusterError, ClusterUnavailableError, Stamp
from remediation.controller import State, decide, due, jobs_followed, taking_over
from remediation.events import (
    Event,
    JobSaid,
    Observed,
    Ordered,
    Progress,
    Progressed,
    Recorded,
    Said,
    Tick,
    Unobserved,
)
from remediation.ledger import Act, Intent, Leader, Outcome, Record, Result, decode, encode
from remediation.orders import Command, Order
from remediation.policy import Checkpoint, Confirm, Mode, Modes, Policy
from remediation.rail_policy import OutOfService
from remediation.views import NodeView, Repair
from tests.remediation_witness import Witness

CLUSTER = "c"
AUTO = Modes(Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.AUTO)
POLICY = Policy(
    modes=AUTO,
    confirm=Confirm(warning=30.0, critical=10.0),
    checkpoint=Checkpoint(path="/shared/{job}.json"),
)


def nodes(count: int, racks: int = 16) -> list[NodeView]:
    return [NodeView(f"n{i:05}", f"i-{i}", f"uid-{i}", domains={"rack": f"r{i // racks}"}) for i in range(count)]


def verdict(
    node: str, now: float, *, status=Status.STRAGGLER, since=None, severity=None, job="j", **changes
) -> Verdict:
    accused = status in (Status.STRAGGLER, Status.FAULT)
    said = Verdict(
        schema="guard.verdict/1", id=identify(node, now, status), cluster=CLUSTER, node=node,
        instance=f"i-{int(node[1:])}", job=JobAttempt(job) if job else None, time=now,
        since=now if since is None else since, status=status, role=Role.CULPRIT if accused else None,
        cause="compute" if accused else None, device=None, slowdown=0.2 if accused else None,
        severity=severity or (Severity.WARNING if accused else Severity.INFO), confidence=0.99,
    )  # fmt: skip
    return replace_struct(said, **changes)


def replace_struct(record, **changes):
    return type(record)(**{**{name: getattr(record, name) for name in record.__struct_fields__}, **changes})


@dataclass
class Stage:
    """The shell of one process; `ledger` and `cluster` outlive it."""

    cluster: FakeCluster
    policy: Policy = POLICY
    now: float = 1_000_000.0
    ledger: list[Record] = field(default_factory=list)
    state: State = field(default_factory=lambda: State.of(CLUSTER))
    epoch: int = -1
    read: int = 0
    begun: set[str] = field(default_factory=set)
    asked: dict[str, int] = field(default_factory=dict)
    orders: int = 0
    witness: Witness | None = None

    def tell(self, event: Event) -> tuple[Record, ...]:
        if self.witness is not None:
            self.witness.hears(event, self.now, jobs_followed(self.state))
        self.state, records = decide(self.state, event, self.policy, self.now)
        return records

    def append(self, *records: Record) -> None:
        # Through the codec: what cannot be written down cannot be decided.
        self.ledger += [decode(encode(record)) for record in records]

    def read_one(self) -> None:
        self.tell(Recorded(self.ledger[self.read], self.read))
        self.read += 1

    def read_back(self) -> None:
        while self.read < len(self.ledger):
            self.read_one()

    def lead(self, process: str = "p") -> "Stage":
        self.append(
            Leader(id=f"l{len(self.ledger)}", cluster=CLUSTER, time=self.now, process=process, deadline=60.0)
        )
        self.epoch = len(self.ledger) - 1
        self.read_back()
        self.observe()
        self.append(*taking_over(self.state, self.epoch, self.now))
        self.read_back()
        return self

    def successor(self) -> "Stage":
        """Another process takes over: it knows the ledger and nothing else."""
        heir = Stage(self.cluster, self.policy, self.now, self.ledger)
        heir.asked, heir.orders = self.asked, self.orders
        heir.witness = None if self.witness is None else self.witness.successor()
        return heir.lead("heir")

    def observe(self) -> None:
        try:
            self.tell(Observed(self.cluster.observe(10)))
        except ClusterUnavailableError as error:
            self.tell(Unobserved(str(error)))

    def decide(self) -> tuple[Record, ...]:
        records = self.tell(Tick())
        if self.witness is not None:
            self.witness.judges(records, self.now)
        return records

    def tick(self) -> tuple[Record, ...]:
        records = self.decide()
        self.append(*(record for record in records if record.epoch == self.epoch))
        self.read_back()
        return records

    def due(self) -> list[Intent]:
        return [intent for intent in due(self.state, self.epoch, self.now) if intent.id not in self.begun]

    def perform(self, intent: Intent) -> None:
        if self.witness is not None:
            self.witness.performs(intent, self.now, self.ledger, self.epoch)
        self.begun.add(intent.id)
        try:
            self.act(intent)
            result, detail = Result.DONE, ""
        except ClusterUnavailableError as error:
            result, detail = Result.UNKNOWN, str(error)
        except ClusterError as error:
            result, detail = Result.FAILED, str(error)
        self.append(
            Outcome(
                id=identify("outcome", intent.id, result), cluster=CLUSTER, time=self.now, epoch=self.epoch,
                incident=intent.incident, intent=intent.id, result=result, detail=detail,
            )
        )  # fmt: skip

    def act(self, intent: Intent) -> None:
        durable, look = self.state.durable, self.state.picture.look
        incident = durable.incidents.get(intent.incident) or durable.closed[intent.incident]
        node = look.view.nodes.get(incident.node, NodeView(incident.node))
        node = replace(node, identity=intent.identity)
        stamp = Stamp(incident.id, incident.cause)
        match intent.act:
            case Act.CORDON:
                self.cluster.cordon(node, stamp, 10)
            case Act.RELEASE:
                self.cluster.uncordon(node, incident.id, 10)
            case Act.RESTART:
                job = replace(look.view.jobs[intent.subject], restarts=intent.restarts)
                self.cluster.restart(job, node, 10)
            case Act.REPAIR:
                self.cluster.repair(node, stamp, Repair(self.policy.repair), 10)
            case Act.CHECKPOINT:
                self.asked[intent.subject] = intent.at_step

    def step(self, seconds: float = 1.0) -> tuple[Record, ...]:
        """A second of the shell: decide, act, look."""
        self.now += seconds
        self.read_back()
        records = self.tick()
        for intent in self.due():
            self.perform(intent)
        self.read_back()
        self.observe()
        return records

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.step()

    def say(self, *verdicts: Verdict) -> None:
        for said in verdicts:
            self.tell(Said(said))

    def accuse(self, *names: str, **how) -> None:
        self.say(*(verdict(name, self.now, **how) for name in names))

    def say_of_job(self, job: JobVerdict) -> None:
        self.tell(JobSaid(job))

    def order(self, command: Command, subject: str = "", by: str = "ines") -> None:
        self.orders += 1
        order = Order(cluster=CLUSTER, time=self.now, by=by, command=command, subject=subject)
        self.tell(Ordered(order, f"0-{self.orders}"))

    def progressed(self, step: int, job: str = "j", **more) -> None:
        """All ranks of the job, one a node, have come to `step`."""
        if job not in jobs_followed(self.state):
            return
        where = sorted(self.cluster.observe(1).jobs[job].nodes)
        ranks = range(len(where))
        given = {"step_time": 1.0} | {
            key: dict.fromkeys(ranks, value) if key in ("checkpoints", "resumed") else value
            for key, value in more.items()
        }
        progress = Progress(self.now, 0, frozenset(where), dict.fromkeys(ranks, step), **given)
        self.tell(Progressed(job, progress))

    def kinds(self, kind: type) -> list:
        return [record for record in self.ledger if isinstance(record, kind)]

    def acts(self, act: Act | None = None) -> list[Intent]:
        return [intent for intent in self.kinds(Intent) if act is None or intent.act is act]

    def state_of(self, node: str) -> str | None:
        incident = self.state.durable.of_node(node)
        return None if incident is None else str(incident.state)


def staged(count: int = 12, job: int = 8, policy: Policy = POLICY, **changes) -> Stage:
    """A cluster of `count` nodes, a job `j` on the first `job` of them, and a leader."""
    fake = FakeCluster(nodes(count), changes.pop("repairs", frozenset()))
    if job:
        fake.run("j", [f"n{i:05}" for i in range(job)])
    if changes:
        policy = replace_struct(policy, **changes)
    return Stage(fake, policy).lead()


MANY = OutOfService(count=10000, share=1.0, domain=10000, job=10000)
