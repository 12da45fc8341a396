"""Rails about restarts: who owns them, how many a job has had, whether it pays, and what would be lost."""

from remediation.economy import lost_work, weigh
from remediation.fold import DAY
from remediation.ledger import Act
from remediation.policy import Otherwise
from remediation.scene import Case, Scene

Answer = tuple[bool, str]


def owner(scene: Scene, case: Case) -> Answer:
    """Does somebody else restart the job, or is a restart of ours not seen through yet?"""
    job = case.job
    if job is None:
        return False, "the job does not run on the node"
    if job.restarted_by is not None:
        return False, f"{job.restarted_by} restarts this job"
    # A hang or a hard fault of the node that it came to cannot wait until the restart before is seen through.
    waits = not scene.severe(case.incident)
    if waits and any(name == job.name and restarts < job.restarts for name, restarts in scene.durable.verifying):
        return False, "the restart before this one is not seen through yet"
    return True, "nobody else restarts this job"


def budget(scene: Scene, case: Case) -> Answer:
    """How often has guard restarted the job of late?"""
    restarts = {
        deed.intent.restarts
        for deed in scene.durable.recent
        if deed.intent.act is Act.RESTART
        and deed.intent.subject == case.subject
        and scene.now - deed.intent.time < DAY
    } - {case.job.restarts if case.job is not None else None}
    limit = scene.policy.attempts.job
    return len(restarts) < limit, f"{len(restarts)} earlier restarts in a day, at most {limit}"


def economy(scene: Scene, case: Case) -> Answer:
    """Does the restart save more than it costs?"""
    if case.job is None:
        return False, "the job does not run on the node"
    total = weigh(scene, case.incident, case.job)
    text = (
        f"{total.remaining:.0f} s left, slower by {total.slowdown:.1%}, wrong with {total.chance_wrong:.1%}; "
        f"costs {total.restart_cost:.0f} s and {total.lost_work:.0f} s of lost work: saves {total.saved:.0f} s"
    )
    return total.saved > 0, text


def checkpoint_age(scene: Scene, case: Case) -> Answer:
    """Would too much work be lost?"""
    if case.job is None:
        return False, "the job does not run on the node"
    if scene.severe(case.incident):
        return True, "a hard fault or a hang waits for no checkpoint"
    rule = scene.policy.checkpoint
    lost = lost_work(scene, case.job)
    known = "no checkpoint of every rank is known" if lost is None else f"{lost:.0f} s of work would be lost"
    if lost is not None and lost > rule.age:
        return False, f"{known}, at most {rule.age:g} s"
    done = scene.durable.checkpointed.get((case.incident.id, case.job.restarts))
    if done is not None and done.complete:
        return True, f"every rank wrote the checkpoint of step {done.at_step}"
    waits = rule.otherwise is Otherwise.WAIT
    if done is not None and waits:
        return False, f"no checkpoint came ({done.reason}): waits for the job's next break"
    return lost is not None or not waits, known
