"""A job that was started anew on other nodes: those that it left hold nothing up."""

import msgspec

from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import Verdict
from tests.fleet import Fleet, slow_from

POLICY = Policy(warm_up=0, starting=3)
AGAIN, ONSET, PERIODS = 10, 16, 30
SLOW, LEFT, CAME = "node-001", "node-003", "node-009"


def restarted():
    """Four nodes; one is replaced, and its agent tells of the attempt before until it finds the ranks dead."""
    before = Fleet(nodes=4).records(AGAIN)
    dead = [record for record in Fleet(nodes=4).records(4, start=AGAIN) if record.node == LEFT]
    again = Fleet(nodes=4, attempt=1000, slow=slow_from(1, ONSET, 2.5)).records(PERIODS - AGAIN, start=AGAIN)
    moved = [
        msgspec.structs.replace(record, node=CAME, instance="i-009", boot="other")
        if record.node == LEFT
        else record
        for record in again
    ]
    return sorted([*before, *dead, *moved], key=lambda record: record.time)


def test_a_node_that_the_new_attempt_does_without_delays_no_verdict():
    detector = Detector(POLICY)
    for record in restarted():
        for saying in detector.fold([record]):
            if isinstance(saying, Verdict) and saying.accused:
                assert saying.node == SLOW
                assert record.time - saying.time <= POLICY.lateness + 2 * record.period
                return
    raise AssertionError("nobody was accused")
