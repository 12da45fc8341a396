"""What a process was told, kept a second time and more simply than `remediation.picture` keeps it."""

from detectors.verdict import Severity, Status, Verdict
from remediation.events import Event, Observed, Progress, Progressed, Recorded, Said, Unobserved
from remediation.ledger import Act, Record, Result
from remediation.policy import Policy
from remediation.views import ClusterView, JobState, JobView, NodeView
from tests.remediation_history import OUT, History, Trouble, Try

HOUR, DAY = 3600.0, 86400.0


class Knowledge:
    """Verdicts, the newest look at the cluster, how jobs go, and the ledger as far as it was read."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0.0
        self.newest: dict[str, Verdict] = {}
        self.accusations: dict[str, Verdict] = {}
        self.since: dict[str, float] = {}
        self.view: ClusterView | None = None
        self.looked = 0.0
        self.blind = False
        self.usual = 0
        self.shrunk: tuple[float, int] | None = None
        self.progress: dict[str, Progress] = {}
        self.read: list[Record] = []
        self.history = History()

    def hears(self, event: Event, now: float, followed: frozenset[str]) -> None:
        self.now = now
        match event:
            case Said(verdict):
                self._hears_verdict(verdict)
            case Observed(view):
                self.blind, self.view, self.looked = False, view, now
                self._believes(len(view.nodes))
            case Unobserved():
                self.blind = True
            case Progressed(job, progress):
                self.progress = {name: known for name, known in self.progress.items() if name in followed}
                self.progress[job] = progress
            case Recorded(record, offset):
                self.read.append(record)
                self.history.add(record, offset)

    def _hears_verdict(self, verdict: Verdict) -> None:
        before = self.newest.get(verdict.node)
        if before is not None and before.instance != verdict.instance:
            self.accusations.pop(verdict.node, None)
            before = None
        if before is not None and verdict.time < before.time:
            return
        self.newest[verdict.node] = verdict
        if verdict.accused:
            self.accusations[verdict.node] = verdict
            if before is None or not before.accused:
                self.since[verdict.node] = self.now

    def _believes(self, count: int) -> None:
        if count >= 0.7 * self.usual:
            self.shrunk = None
        else:
            since, looks = self.shrunk or (self.now, 0)
            stood = self.now - since >= 900 and looks + 1 > 3 and count > 0
            self.shrunk = None if stood else (since, looks + 1)
        if self.shrunk is None and count > 0:
            self.usual = count

    def _sees(self) -> bool:
        young = abs(self.now - self.looked) <= self.policy.view_age
        return bool(self.view is not None and self.view.nodes and not self.blind and not self.shrunk and young)

    def _node(self, trouble: Trouble) -> NodeView | None:
        """The incident's own machine."""
        node = None if self.view is None else self.view.nodes.get(trouble.node)
        opened = trouble.opened
        if node is None or (node.instance and opened.instance and node.instance != opened.instance):
            return None
        same = not (node.identity and opened.identity) or node.identity == opened.identity
        return node if same or node.incident == trouble.name else None

    def _job(self, trouble: Trouble) -> JobView | None:
        job = None if self.view is None else self.view.jobs.get(trouble.job)
        return job if job and job.state is JobState.RUNNING and trouble.node in job.nodes else None

    def _newest(self, trouble: Trouble) -> Verdict | None:
        said = self.newest.get(trouble.node)
        return said if said is not None and said.instance == trouble.opened.instance else None

    def _accusation(self, trouble: Trouble) -> Verdict | None:
        newest = self._newest(trouble)
        stands = newest is not None and (newest.accused or newest.status is Status.SILENT)
        return self.accusations.get(trouble.node) if stands else None

    def _severe(self, trouble: Trouble) -> bool:
        said = self._accusation(trouble)
        return trouble.opened.severity == "critical" or bool(said and said.severity is Severity.CRITICAL)

    def _out(self) -> set[str]:
        return {node.name for node in self.view.nodes.values() if node.cordoned or not node.ready}

    def _ours(self) -> set[str]:
        """Nodes that guard has out, or may have: a cordon has not failed, and no look can show it yet."""
        out = {trouble.node for trouble in self.history.open() if trouble.state in OUT}
        return out | {tried.node for tried in self._tries(Act.CORDON, DAY) if self._may_stand(tried)}

    def _may_stand(self, tried: Try) -> bool:
        if tried.result is Result.FAILED:
            return False
        return tried.ended is None or tried.ended >= self.looked - 5

    def _tries(self, act: Act, seconds: float) -> list[Try]:
        return [
            tried
            for tried in self.history.tries.values()
            if tried.intent.act is act and self.now - tried.intent.time < seconds
        ]

    def _progress(self, job: JobView) -> Progress | None:
        """How far the job is, where all of its nodes have told of late."""
        known = self.progress.get(job.name)
        whole = known is not None and known.steps and job.nodes <= known.nodes
        return known if whole and self.now - known.time <= self.policy.verdict_age else None

    def _loses(self, job: JobView) -> float | None:
        known = self._progress(job)
        if known is None or known.step_time is None or known.steps.keys() - known.checkpoints.keys():
            return None
        newest = min(known.checkpoints[rank] for rank in known.steps)
        return max(max(known.steps.values()) - newest, 0) * known.step_time
