"""A cluster: observe it, own what was stamped, act, and see by observing again whether the act took.

Every adapter passes one contract test (`tests/cluster_contract.py`). Rules for all:

- Every call ends within `timeout` seconds, by itself or with `ClusterUnavailableError`.
- Acts are idempotent: done twice they leave what they left when done once, and say so by returning. An act that
  was cut off may have taken or not; whoever asked observes, and asks again.
- A cordon carries a stamp: the incident. Only what carries our stamp is undone, a person's uncordon stands, and a
  foreign cordon is left as it is: `NotOursError`.
- An act on a node is bound to the `identity` that was observed: a node that was made anew under the same name is
  another one: `GoneError`.
- Trouble of the control plane is not trouble of a node: `ClusterUnavailableError` says nothing about any node.
"""

from dataclasses import dataclass
from typing import Protocol

from remediation.views import ClusterView, JobView, NodeView, Repair


class ClusterError(Exception):
    """Something stands in the way of an act. The message says what, in words for a person."""


class ClusterUnavailableError(ClusterError):
    """The control plane did not answer in time, or not sensibly. The act may have taken: observe, try again."""


class HeldBackError(ClusterError):
    """The control plane refuses for now: a disruption budget, a limit. Try again later.

    Attributes:
        after: seconds that it asks to wait; None where it does not say.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class NotOursError(ClusterError):
    """Somebody else's hand is on it: a foreign cordon or reason, another owner of restarts. Leave it."""


class GoneError(ClusterError):
    """The node or the job is not there any more, or is another one of the same name."""


class RefusedError(ClusterError):
    """The control plane refuses for good: no permission, a wrong request. A person must look."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What guard writes beside a cordon.

    Attributes:
        incident: its id: letters, digits and dashes, at most 63.
        cause: one word of `detectors.verdict.Cause`.
    """

    incident: str
    cause: str


class Cluster(Protocol):
    """What guard can do to a cluster."""

    @property
    def repairs(self) -> frozenset[Repair]:
        """What it can do to a broken node; nothing on a plain scheduler."""
        ...

    def observe(self, timeout: float) -> ClusterView:
        """All nodes and jobs, as they are now.

        Raises:
            ClusterUnavailableError: it cannot be told now. A part is never returned for the whole.
        """
        ...

    def cordon(self, node: NodeView, stamp: Stamp, timeout: float) -> None:
        """Let no new work come to `node`, and stamp it. What runs there goes on.

        Raises:
            NotOursError: it is cordoned already, and not by this incident.
            GoneError, HeldBackError, RefusedError, ClusterUnavailableError: see there.
        """
        ...

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """Undo the cordon of `incident`. One that is not there any more was undone by a person: fine.

        Raises:
            NotOursError: the cordon is not of this incident.
            GoneError, HeldBackError, RefusedError, ClusterUnavailableError: see there.
        """
        ...

    def restart(self, job: JobView, node: NodeView, timeout: float) -> None:
        """Start `job` anew from its newest checkpoint, without `node`, which is cordoned.

        Done when the job runs with `restarts` above the one of `job`. Where it already has more, nothing is done:
        the restart that was asked for has happened. One step of a longer eviction may be all that a call does:
        it is called again until the job is off the node, and while the job is `halted`: stopped, and not started
        again yet.

        Raises:
            NotOursError: the job's restarts belong to somebody else (`restarted_by`).
            HeldBackError: a disruption budget is in the way.
            GoneError, RefusedError, ClusterUnavailableError: see there.
        """
        ...

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        """Ask the cluster to reboot or replace `node`, which carries our cordon and no work.

        Raises:
            RefusedError: this cluster cannot (`repairs`).
            NotOursError, GoneError, HeldBackError, ClusterUnavailableError: see there.
        """
        ...
