"""Why this role and not another: what an accusation needs, point by point."""

from detectors.plain import evidence, plain, seconds, share
from detectors.verdict import Cause, Evidence, Role, Status
from guard.explain.explanation import Facts, Link, count, middle
from guard.explain.headline import hangs

_WAITS = 0.25
"""As `detectors.case`: one that waits longer by so much of its own excess is no culprit."""

_TOLD = 5
"""Pieces of a hang's evidence that are told."""


def checks(facts: Facts) -> Link | None:
    """Go through the points for a suspect; say for an ok node why it is none."""
    said = facts.said
    if said.status is Status.OK:
        return _well(facts)
    if said.role is Role.LINK:
        return _link(facts)
    if hangs(facts):
        return _hang(facts)
    if not facts.on_times:
        return None
    points = [point for point in (_enough(facts), _alone(facts), _costs(facts), _waited_for(facts)) if point]
    missed = [text for met, text in points if not met]
    text = [f"{'yes' if met else 'NO '}  {words}" for met, words in points]
    role = said.role.value if said.role else "none"
    if not missed:
        text.append(f"Nothing excuses it: {role}.")
    elif said.accused:
        text.append("It was accused when all of them held, and stays so until good windows take it back.")
    else:
        text.append(f"So it is not accused: {role}.")
    return Link(f"Why {role}", text)


def _well(facts: Facts) -> Link | None:
    compared = facts.compared
    if not compared:
        return None
    beyond = sum(
        seen.own is not None and seen.healthy is not None and seen.own > seen.healthy for seen in compared
    )
    newest = compared[-1]
    if newest.evidence >= newest.bar:
        text = "Its evidence is enough now; a verdict that says so should follow."
    elif beyond:
        text = (
            f"Its own work was above what counts as healthy in {beyond} of {count(len(compared), 'window')}:"
            f" {share(max(0.0, newest.evidence / newest.bar))} of the evidence that an accusation needs."
        )
    else:
        text = f"Its own work was healthy in all {count(len(compared), 'window')}."
    others = sorted({name for seen in compared[-6:] for name in seen.suspects})
    lines = [text]
    if others:
        lines.append(f"Suspected instead: {', '.join(plain(name) for name in others[:3])}.")
    return Link("Why ok", lines)


def _hang(facts: Facts) -> Link:
    """Why the others wait for it, from what the hang's evidence says."""
    text = [_stuck(piece, facts.said.cause) for piece in facts.said.evidence[:_TOLD]]
    if not facts.said.accused:
        text.append("That is not enough to tell whether it is the one.")
    return Link("Why it, in a hang", text)


def _stuck(piece: Evidence, cause: Cause | None) -> str:
    mine, others = piece.value, piece.typical
    match piece.signal:
        case "steps.alive":
            return "A training process of it is gone."
        case "steps.last_step":
            return f"The last step it finished is {mine:.0f}, the others' {others:.0f}."
        case "steps.current_age":
            where = f" ({cause.value})" if cause else ""
            waiting = f"while the others wait in a collective for {seconds(others)}"
            return f"It is stuck in one section{where} for {seconds(mine)}, {waiting}."
        case _:
            return f"{evidence(piece)}."


def _link(facts: Facts) -> Link:
    before = middle([seen.waits for seen in facts.compared if seen.end <= facts.said.since])
    since = middle([seen.waits for seen in facts.lately])
    longer = "Transfers of the whole job take longer than they did"
    if before is not None and since is not None:
        longer += (
            f": {seconds(since)} a step in collectives, {seconds(before)} before {facts.clock(facts.said.since)}"
        )
    text = [
        f"{longer}.",
        "Nobody's own work does, so no time can name a node; a slow link makes all wait alike.",
        "Of all nodes its network counters alone stand out.",
    ]
    return Link("Why link", text)


_Point = tuple[bool, str]


def _enough(facts: Facts) -> _Point | None:
    if not facts.compared:
        return None
    newest, needed = facts.compared[-1], facts.policy.peers
    if newest.widened:
        return False, "enough peers: too few with the very same part"
    return newest.peers >= needed, f"enough peers: {newest.peers} ({needed} needed)"


def _alone(facts: Facts) -> _Point:
    crowd = max((seen.crowd for seen in facts.compared[-1:]), default=0)
    if crowd or facts.said.role is Role.COMMON:
        return False, f"slow alone: {crowd or 'several'} nodes slowed together"
    return True, "slow alone: no group of nodes slowed together with it"


def _costs(facts: Facts) -> _Point:
    cost, needed = facts.said.slowdown, facts.policy.slowdown
    if cost is None:
        return False, "costs the job enough: not known"
    return cost >= needed, f"costs the job enough: {share(cost)} of the step ({share(needed)} needed)"


def _waited_for(facts: Facts) -> _Point | None:
    mine = middle([seen.waits for seen in facts.lately])
    others = middle([seen.others_wait for seen in facts.lately])
    own = facts.own()
    if mine is None or others is None or own is None:
        return None
    longer = mine - others > _WAITS * (own[0] - own[1])
    return not longer, f"waits no longer than its peers: {seconds(mine)} a step, they {seconds(others)}"
