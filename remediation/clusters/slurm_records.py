"""What Slurm's commands print, read strictly: a line that is not understood is no answer at all.

Nodes come from `scontrol --oneliner show node`, whose shape has been the same for many versions; jobs from
`squeue` with chosen fields, none of which a user can fill with text: job names and comments are left out.
"""

import re
from dataclasses import dataclass

from remediation.clusters.slurm_nodes import expand
from remediation.views import JobState

OPT_OUT = "guard-opt-out"
"""Feature of a node whose owner wants guard to leave it alone."""

JOB_FIELDS = ("JobID", "State", "RestartCnt", "Requeue", "BatchFlag", "StartTime", "EndTime", "NodeList", "Reason")
"""Fields for `squeue --Format`."""

_STAMP = re.compile(r"guard: ([A-Za-z0-9-]{1,63})(?: .*)?")
_NEXT = r"(?= +(?:Reason|Comment|Extra|InstanceId|InstanceType|ReservationName)=| *$)"
_REASON = re.compile(rf" Reason=(.*?)(?: \[[^\[\]]*@[^\[\]]*\])?{_NEXT}")
_COMMENT = re.compile(rf" Comment=(.*?){_NEXT}")
_SYSTEM = re.compile(r" OS=.* (?=RealMemory=)")
"""The kernel's name of itself: text of the node, which might be made to look like other fields."""
_CORDONS = {"DRAIN", "FAIL"}
_AWAY = {"DOWN", "ERROR", "UNKNOWN", "FUTURE", "NOT_RESPONDING", "INVALID_REG", "REBOOT_ISSUED"}
_POWER = {"POWERED_DOWN", "POWERING_DOWN", "POWERING_UP", "POWER_DOWN"}
_RUNNING = {"RUNNING", "SUSPENDED", "STOPPED", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT"}
# COMPLETING is said of jobs that end and of jobs that were requeued alike. It is waiting: neither done nor over.
_WAITING = {"PENDING", "COMPLETING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}


def stamp_of(text: str) -> str | None:
    """The incident of a reason that guard wrote, whose first word is ours; None for all others."""
    match = _STAMP.fullmatch(text)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class SlurmNode:
    """A node as `scontrol` shows it.

    Attributes:
        name: as Slurm has it.
        state: the base state and all flags.
        identity: where it is: Slurm's host name and address of it, and the cloud's instance where Slurm knows it.
            The boot time is not part of it: it differs by a second between registrations, and resuming a node
            erases it until the next one.
        instance: the cloud's name of the machine; Slurm 24.05 and newer.
        reason: without who said so.
        comment: free text of administrators.
        features: the active ones.
    """

    name: str
    state: frozenset[str]
    identity: str
    instance: str | None
    reason: str
    comment: str
    features: frozenset[str]

    @property
    def cordoned(self) -> bool:
        """Takes no new work, because somebody said so."""
        return not self.state.isdisjoint(_CORDONS)

    @property
    def ready(self) -> bool:
        """There, and answering."""
        return self.state.isdisjoint(_AWAY | _POWER)


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job as `squeue` shows it. `held` is the word PENDING's reason starts with; times are Unix seconds."""

    name: str
    state: JobState
    completing: bool
    restarts: int
    restarted_by: str | None
    start: float | None
    end: float | None
    nodes: frozenset[str]
    held: str


def read_nodes(text: str) -> dict[str, SlurmNode]:
    """All nodes of the output.

    Raises:
        ValueError: a line is not one of a node, or two are of one node.
    """
    nodes = [_node(line) for line in text.splitlines() if line.strip()]
    found = {node.name: node for node in nodes}
    if len(found) != len(nodes):
        raise ValueError("a node is listed twice")
    return found


def read_jobs(text: str) -> dict[str, SlurmJob]:
    """All jobs of the output.

    Raises:
        ValueError: a line is not one of a job.
    """
    jobs = (_job(line) for line in text.splitlines() if line.strip())
    return {job.name: job for job in jobs}


def _node(line: str) -> SlurmNode:
    line = _SYSTEM.sub(" ", line)
    head = line.partition(" Reason=")[0].partition(" Comment=")[0]
    fields = dict(re.findall(r"(?:^| )([A-Za-z]+)=(\S*)", head))
    name, state = fields.get("NodeName", ""), fields.get("State", "")
    if not line.startswith(f"NodeName={name} ") or not name or not state:
        raise ValueError(f"not a line about a node: {line[:80]!r}")
    tail = line[len(head) :]
    flags = state.replace("*", "+NOT_RESPONDING").replace("~", "+POWERED_DOWN").replace("#", "+POWERING_UP")
    instance = re.search(r" InstanceId=(\S+)", line)
    known = instance[1] if instance and instance[1] != "(null)" else None
    place = (fields.get("NodeHostName", ""), fields.get("NodeAddr", ""), known or "")
    reason, comment = _REASON.search(tail), _COMMENT.search(tail)
    return SlurmNode(
        name=name,
        state=frozenset(re.findall(r"[A-Z_]+", flags)),
        identity="/".join(place),
        instance=known,
        reason=reason[1] if reason else "",
        comment=comment[1] if comment else "",
        features=frozenset(fields.get("ActiveFeatures", "").split(",")) - {"(null)", ""},
    )


def _job(line: str) -> SlurmJob:
    parts = line.split("|", len(JOB_FIELDS) - 1)
    if len(parts) != len(JOB_FIELDS):
        raise ValueError(f"not a line about a job: {line[:80]!r}")
    name, state, restarts, requeue, batch, start, end, nodes, reason = parts
    if not name.isdecimal() or not restarts.isdecimal():
        raise ValueError(f"not a line about a job: {line[:80]!r}")
    return SlurmJob(
        name=name,
        state=_state(state),
        completing=state == "COMPLETING",
        restarts=int(restarts),
        restarted_by=_owner(requeue, batch),
        start=_time(start),
        end=_time(end),
        nodes=expand(nodes),
        held=re.split(r"[^A-Za-z]", reason, maxsplit=1)[0],
    )


def _state(text: str) -> JobState:
    if text in _RUNNING:
        return JobState.RUNNING
    return JobState.WAITING if text in _WAITING else JobState.ENDED


def _owner(requeue: str, batch: str) -> str | None:
    if batch != "1":
        return "its owner: it has no batch script"
    return None if requeue == "1" else "its owner: it was handed in with --no-requeue"


def _time(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
