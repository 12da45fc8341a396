"""Rails about what is known: the look at the cluster, the accusation, and what people have said."""

from detectors.verdict import Status
from remediation.ledger import Act
from remediation.scene import Case, Scene

Answer = tuple[bool, str]

# A verdict's clock is another machine's; a minute ahead is still a clock, more is a wrong one.
_AHEAD = 60.0


def view(scene: Scene, case: Case) -> Answer:
    """Is the cluster seen, and the node in it? Trouble of the control plane is not trouble of a node."""
    blind = scene.why_blind()
    if blind is not None:
        return False, blind
    if case.node is None and not case.finishes:
        return False, f"the cluster does not show this {case.incident.node}"
    return True, "the cluster and the node in it are seen"


def pause(scene: Scene, case: Case) -> Answer:
    """Has a person paused everything?"""
    del case
    paused = scene.durable.pause(scene.now)
    if paused is None:
        return True, "nobody has paused guard"
    return False, f"paused by {paused.by}{': ' if paused.reason else ''}{paused.reason}"


def breaker(scene: Scene, case: Case) -> Answer:
    """Has the storm breaker tripped? It stops new harm, never recovery."""
    del case
    tripped = scene.durable.breaker
    if tripped is None or not tripped.tripped:
        return True, "the storm breaker has not tripped"
    return False, f"the storm breaker has tripped: {tripped.reason}"


def maintenance(scene: Scene, case: Case) -> Answer:
    """Are people at work?"""
    del case
    for window in scene.policy.maintenance:
        if window.covers(scene.now):
            return False, f"maintenance from {window.start} UTC for {window.hours:g} h"
    return True, "no maintenance now"


def opt_out(scene: Scene, case: Case) -> Answer:
    """Does the node's owner want guard to leave it alone?"""
    del scene
    out = case.node is not None and case.node.opted_out
    return (False, "the node has opted out") if out else (True, "the node has not opted out")


def foreign_cordon(scene: Scene, case: Case) -> Answer:
    """Has somebody else cordoned the node? Then it is theirs."""
    del scene
    node = case.node
    if node is None or not node.cordoned:
        return case.act not in (Act.RESTART, Act.REPAIR), "nobody has cordoned it"
    if node.incident == case.incident.id:
        return True, "the cordon is ours"
    return False, f"somebody else has cordoned it: {node.reason[:100]}"


def accused(scene: Scene, case: Case) -> Answer:
    """Does the newest word on this machine accuse it?"""
    heard = scene.heard(case.incident)
    if heard is None:
        return False, "nothing has been said of this machine"
    verdict = heard.verdict
    if verdict.accused:
        return True, f"{verdict.status}, {verdict.role}, {verdict.cause or 'unknown'}"
    # Once it is cordoned, its agent may well fall silent: what it was accused of still stands.
    if verdict.status is Status.SILENT and heard.accusation is not None and case.act is Act.RESTART:
        return True, "silent since it was accused"
    return False, f"the newest verdict is {verdict.status}"


def verdict_age(scene: Scene, case: Case) -> Answer:
    """Is the accusation young enough? A detector that stopped may have stopped before the node was well again."""
    verdict = scene.accusation(case.incident)
    if verdict is None:
        return False, "no verdict accuses it"
    age = scene.now - verdict.time
    if age < -_AHEAD:
        return False, f"the verdict is {-age:.0f} s from the future: a clock is wrong"
    if age > scene.policy.verdict_age:
        return False, f"the verdict is {age:.0f} s old, at most {scene.policy.verdict_age:g} s will do"
    return True, f"the verdict is {max(age, 0):.0f} s old"


def confidence(scene: Scene, case: Case) -> Answer:
    """Is the detector sure enough?"""
    verdict = scene.accusation(case.incident)
    if verdict is None:
        return False, "no verdict accuses it"
    enough = verdict.confidence >= scene.policy.confidence
    return enough, f"confidence {verdict.confidence:g}, least {scene.policy.confidence:g}"


def peers(scene: Scene, case: Case) -> Answer:
    """Were there enough others to be slower than? A hard fault or a hang needs none."""
    if scene.severe(case.incident):
        return True, "a hard fault or a hang needs no peers"
    look = scene.look
    if look is None:
        return False, "the cluster is not seen"
    # Not a set of the others: a job may have 62,500 nodes, and this is asked for each that is accused.
    if case.job is not None:
        count = len(case.job.nodes) - len(case.job.nodes & look.out)
    else:
        count = len(look.view.nodes) - len(look.out)
    count -= case.incident.node not in look.out
    return count >= scene.policy.peers, f"{count} other nodes in service, least {scene.policy.peers}"
