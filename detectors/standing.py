"""How the nodes of a job stand, in the words of its own record: who is accused, or why nobody is."""

from collections.abc import Sequence

from detectors.course import Standing
from detectors.members import Member
from detectors.verdict import Role

_UNSYNCED = "the job reports no synchronised sections: step times alone cannot name a node"


def standing_of(members: Sequence[Member], *, unsynced: bool) -> Standing:
    """Sum up the members.

    Args:
        members: the nodes of the job.
        unsynced: whether no node's newest window had sections that mean something.
    """
    silence = None
    if members and all(member.silent for member in members):
        silence = "no telemetry from any node of the job"
    suspects = [m.standing for m in members if m.standing is not None and not m.accused and not m.silent]
    if unsynced:
        excuse = _UNSYNCED
    elif any(suspect.role is Role.COMMON for suspect in suspects):
        excuse = "so many peers slowed together that no one of them is at fault"
    elif any(suspect.role is Role.INCONCLUSIVE for suspect in suspects):
        excuse = f"{len(suspects)} suspects, with too few peers or too little effect to accuse one"
    else:
        excuse = "no node's own work stands out from that of its peers for long enough"
    accused = tuple(sorted(member.node for member in members if member.accused))
    return Standing(len(members), accused, excuse, silence)
