"""From material to an explanation."""

from detectors.plain import moment, plain
from detectors.policy import Policy
from detectors.verdict import Status, Verdict
from guard.explain.chain import chain
from guard.explain.explanation import Explanation, Facts, count
from guard.explain.headline import hangs, headline
from guard.explain.material import Material, Question
from guard.explain.retell import retell
from guard.replay import Progress
from guard.report.fold import NotAnsweredError


def tell(material: Material, question: Question, policy: Policy, progress: Progress) -> Explanation:
    """Fold the telemetry anew, and put into words what was seen.

    Raises:
        NotAnsweredError: there is no telemetry to explain the verdict by.
    """
    retold = retell(question.node, material.records, policy, progress)
    said = material.said or retold.said
    if said is None:
        raise NotAnsweredError(_nothing_kept(material, question, None))
    facts = Facts(question.node, said, material, retold, policy)
    first = headline(facts)
    if not material.records and material.job is not None and said.status is not Status.SILENT:
        raise NotAnsweredError(_nothing_kept(material, question, first))
    return Explanation(
        node=question.node,
        cluster=material.cluster,
        job=material.job,
        at=material.at,
        span=question.span,
        source=material.source,
        headline=first,
        said=said,
        retold=retold.said,
        chain=chain(facts),
        unknown=_unknown(facts),
        windows=list(facts.windows),
        window=policy.window,
    )


def _nothing_kept(material: Material, question: Question, first: str | None) -> str:
    since, until = moment(material.at - question.span), moment(material.at)
    told = f"{first}. But why cannot be shown: " if first else ""
    whose = "the node" if material.job is None or first is None else f"job {plain(material.job)}"
    return (
        f"{told}{material.source} hold no telemetry of {whose} from {since} to {until}. "
        "Ask for another --at or a longer --span, or give files of that time: --from FILE"
    ).replace("the bus hold ", "the bus holds ")


def _unknown(facts: Facts) -> list[str]:
    """What could not be known, and why."""
    material, retold = facts.material, facts.retold
    if material.job is None:
        return ["it is in no job, so there is nobody to compare it with"]
    found = [*_of_records(facts), *_of_windows(facts)]
    if material.aside:
        found.append(f"{count(material.aside, 'record')} could not be read")
    if material.said is not None and retold.said is not None and facts.windows:
        found += _otherwise(material.said, retold.said)
    return found


def _of_records(facts: Facts) -> list[str]:
    retold, at = facts.retold, facts.material.at
    if retold.newest is None and not retold.nodes:
        return [f"there is no telemetry of job {plain(facts.material.job or '')} from this time"]
    if retold.newest is None:
        return [f"there is no record of the node among those of {count(retold.nodes, 'node')} of its job"]
    missing = at - retold.newest.time
    if missing > facts.policy.silence and facts.said.status is not Status.SILENT:
        return [f"its newest record is of {facts.clock(retold.newest.time)}: later nothing is known of it"]
    return []


def _of_windows(facts: Facts) -> list[str]:
    attempt = facts.retold.witness.attempt
    if facts.blind:
        return [_why_blind(facts)]
    if not facts.windows and facts.newest is not None:
        why = "no step ended" if hangs(facts) else "no steps ended, or too few records are there"
        return [f"no window could be judged: {why}"]
    found = [f"no step has ended since {facts.clock(facts.said.since)}: figures of steps are from before"] * hangs(
        facts
    )
    if facts.said.job is not None and attempt is not None and facts.said.job.attempt != attempt:
        found.append(
            f"the verdict is about attempt {facts.said.job.attempt}, the telemetry about attempt {attempt}"
        )
    if facts.said.status is Status.SILENT and facts.compared:
        return [*found, "what follows is from before its silence"]
    left_out = len(facts.windows) - len(facts.compared)
    if left_out:
        found.append(
            f"in {left_out} of {count(len(facts.windows), 'window')} it was not compared: other steps than its"
            " peers', no peers, or a hole in its data"
        )
    return found


def _why_blind(facts: Facts) -> str:
    steps = facts.newest.steps if facts.newest else None
    if steps is None:
        return "its records hold no steps: is the training loop instrumented?"
    if not steps.sections:
        return (
            "the job reports no sections, and a step takes equally long on all nodes, so times cannot tell whose"
            " work it is: docs/instrument.md says how to mark sections"
        )
    if not steps.synced:
        return (
            "its sections are not synchronised with the device, so they count as none: docs/instrument.md says how"
            " to measure sections that mean something"
        )
    return "its own work could be compared with nobody's: no peers, or holes in its data"


def _otherwise(said: Verdict, retold: Verdict) -> list[str]:
    if (said.status, said.role) == (retold.status, retold.role):
        return []
    now = retold.status.value if retold.role is None else f"{retold.status.value}, {retold.role.value}"
    return [f"from this telemetry alone the verdict would be another ({now}): the detector had heard more before"]
