"""The verdict in one sentence."""

from detectors.plain import plain, share
from detectors.verdict import Role, Status
from guard.explain.explanation import Facts, count, times


def headline(facts: Facts) -> str:
    """Say what the node is, by how much, since when, and what it costs."""
    said, name = facts.said, plain(facts.node)
    since = f"since {facts.clock(said.since)}"
    if said.status is Status.SILENT:
        return (
            f"{name} is silent: no telemetry came from it {_heard(facts)}; nothing is known, nothing is concluded"
        )
    if said.status is Status.OK:
        return f"{name} is ok: {_at_work(facts) or _nothing(facts)}"
    if said.status is Status.FAULT:
        device = "" if said.device is None else f" of device {said.device}"
        return f"{name} has a hard fault: its hardware reported {_fault(facts)}{device}, {since}"
    what = f"{_work(facts) or _reason(facts)}, {since}"
    if said.status is Status.STRAGGLER:
        kind = "has a slow link" if said.role is Role.LINK else "is a straggler"
        cost = (
            ""
            if said.slowdown is None or hangs(facts)
            else f"; without it a step would be {share(said.slowdown)} shorter"
        )
        return f"{name} {kind}: {what}{cost}"
    return f"{name} is watched, not accused: {what}{_WHY_NOT.get(said.role, '')}"


_WHY_NOT: dict[Role | None, str] = {
    Role.COMMON: "; others slowed together with it, so it is not the one at fault",
    Role.VICTIM: "; that is more often another node's doing",
    Role.INCONCLUSIVE: "; the telemetry cannot tell whether it is at fault",
}


def hangs(facts: Facts) -> bool:
    """Whether the verdict is about a job in which no step ends."""
    hung = ("steps.alive", "steps.last_step", "steps.current_age")
    return any(piece.signal in hung for piece in facts.said.evidence)


def _heard(facts: Facts) -> str:
    newest = facts.newest
    if newest is not None:
        return f"after {facts.clock(newest.time)}"
    return f"since about {facts.clock(facts.said.since - facts.policy.silence)}"


def _nothing(facts: Facts) -> str:
    """What ok means where own work was not compared."""
    compared = "its own work could not be compared" if facts.material.job else "it is idle"
    return f"nothing is known against it; {compared}"


def _at_work(facts: Facts) -> str | None:
    ratio, peers = facts.ratio(), facts.peers()
    if ratio is None or not peers:
        return None
    return f"it does {times(ratio)} times the own work of {_peers(peers)}"


def _work(facts: Facts) -> str | None:
    """Own work against the peers', where the verdict rests on it."""
    ratio, peers = facts.ratio(), facts.peers()
    if not facts.on_times or ratio is None:
        return None
    return f"it does {times(ratio)} times the own work of {_peers(peers) if peers else 'its peers'}"


def _peers(peers: int) -> str:
    return f"its {count(peers, 'peer')}"


def _reason(facts: Facts) -> str:
    """What it is about when it is not about own work."""
    said = facts.said
    if hangs(facts):
        return "no step ends, and the others wait for it" if said.accused else "no step ends, and it may be why"
    if said.evidence and said.evidence[0].signal.startswith("fault."):
        return f"it reported {_fault(facts)}"
    if said.role is Role.LINK:
        return "transfers of the whole job take longer, and its network counters alone stand out"
    return f"its hardware signals stand out most ({said.cause or 'cause unknown'})"


def _fault(facts: Facts) -> str:
    codes = [piece.signal.removeprefix("fault.") for piece in facts.said.evidence]
    return plain(codes[0]) if codes else "an error"
