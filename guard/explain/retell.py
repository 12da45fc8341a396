"""The job's telemetry through the very detector once more, with one who looks on for the node."""

from dataclasses import dataclass

from collectors.telemetry import Compared, Fault
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import JobVerdict, Verdict
from guard.explain.records import Records
from guard.explain.seen import Witness
from guard.replay import Progress, replay


@dataclass(frozen=True, slots=True)
class Retold:
    """What came out.

    Attributes:
        witness: what was seen of the node.
        said: the last verdict about it; None: none.
        accused: when it was first accused, Unix seconds; None: never.
        job: the last record about the job; None: none.
        newest: the node's newest record; None: there is none.
        nodes: how many there are in the records.
        faults: that the node's records report, in order.
    """

    witness: Witness
    said: Verdict | None
    accused: float | None
    job: JobVerdict | None
    newest: Compared | None
    nodes: int
    faults: tuple[Fault, ...]


def retell(node: str, records: Records, policy: Policy, progress: Progress) -> Retold:
    """Fold the records of one job, and look at one node."""
    witness = Witness(node)
    detector = Detector(policy, watch=witness)
    said: Verdict | None = None
    job: JobVerdict | None = None
    accused: float | None = None
    for saying in replay(detector, policy, records, progress):
        if isinstance(saying, JobVerdict):
            job = saying
        elif saying.node == node:
            said = saying
            accused = saying.time if saying.accused and accused is None else accused
    progress(len(records), len(records))
    mine = records.of(node)
    return Retold(
        witness=witness,
        said=said,
        accused=accused,
        job=job,
        newest=mine[-1] if mine else None,
        nodes=records.nodes(),
        faults=tuple(fault for record in mine for fault in record.faults),
    )
