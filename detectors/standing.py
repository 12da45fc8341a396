"""How the nodes of a job stand, in the words of its own record: who is accused, or why nobody is."""

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.course import Standing
from detectors.members import Member
from detectors.verdict import Role

_WORTH = 0.1
"""Share of what an accusation needs from which on a suspect is named: less comes to healthy nodes every day."""

_UNSYNCED = "the job reports no synchronised sections: step times alone cannot name a node"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What was seen in the newest windows that bears on why nobody is accused.

    Attributes:
        common: who slowed together, as in "the nodes of rack r7"; None: nobody, or it has no name.
        storage: whether the nodes wait for storage or write a checkpoint.
        peers: how many peers the strongest suspect has, where that is too few to accuse it.
        network: whether collectives take longer while everybody's own work does not.
        suspect: name of the node with the most evidence against it, and its share of what an accusation needs.
        adrift: name of a node that cannot be compared as its clock is off, and the seconds it is ahead.
    """

    common: str | None = None
    storage: bool = False
    peers: int | None = None
    network: bool = False
    suspect: tuple[str, float] | None = None
    adrift: tuple[str, float] | None = None


def standing_of(members: Sequence[Member], *, unsynced: bool, grounds: Grounds | None = None) -> Standing:
    """Sum up the members.

    Args:
        members: the nodes of the job.
        unsynced: whether no node's newest window had sections that mean something.
        grounds: what else is known.
    """
    silence = None
    if members and all(member.silent for member in members):
        silence = "no telemetry from any node of the job"
    accused = tuple(sorted(member.node for member in members if member.accused))
    excuse = _UNSYNCED if unsynced else _excuse(members, grounds or Grounds())
    slowing = any(member.accused and not member.stopped and not member.broken for member in members)
    return Standing(len(members), accused, excuse, silence, slowing=slowing)


def _excuse(members: Sequence[Member], grounds: Grounds) -> str:
    """Why nobody is accused: what rules an accusation out comes before what is missing for one."""
    suspects = [m.standing for m in members if m.standing is not None and not m.accused and not m.silent]
    unsure = sum(suspect.role is Role.INCONCLUSIVE for suspect in suspects)
    excuses = (
        (grounds.common is not None, f"{grounds.common} slowed together: no one of them is at fault"),
        (
            any(suspect.role is Role.COMMON for suspect in suspects),
            "so many peers slowed together that no one of them is at fault",
        ),
        (grounds.storage, "the nodes wait for storage: a checkpoint, or a file system that they share"),
        (grounds.peers is not None, f"too few peers to accuse a suspect: {grounds.peers}"),
        (unsure, f"the suspects ({unsure}) have too few peers, or cost the job too little, to accuse one"),
        (grounds.adrift is not None, _drifting(grounds.adrift)),
        (grounds.suspect is not None and grounds.suspect[1] >= _WORTH, _gathering(grounds.suspect)),
        (
            grounds.network,
            "collectives take longer while nobody's own work does: the network is suspected",
        ),
    )
    otherwise = "no node's own work stands out from that of its peers for long enough"
    return next((excuse for holds, excuse in excuses if holds), otherwise)


def _gathering(suspect: tuple[str, float] | None) -> str:
    node, share = suspect or ("", 0.0)
    # Rounded down: 100 % would be an accusation.
    percent = min(max(int(100 * share), 0), 99)
    return f"{node} is suspected: evidence {percent} % of what an accusation needs"


def _drifting(adrift: tuple[str, float] | None) -> str:
    node, seconds = adrift or ("", 0.0)
    way = "ahead" if seconds > 0 else "behind"
    return f"{node} cannot be compared: its clock is about {abs(seconds):.0f} s {way}, as if it did other steps"
