"""The chain of evidence in words: from whom the node is compared with to why it has this role."""

from detectors.plain import plain, seconds, share
from detectors.recurrence import QUIET, RATIOS
from detectors.verdict import Status
from guard.explain.causes import cause, faults, instruments
from guard.explain.explanation import Facts, Link, count, middle, times
from guard.explain.headline import hangs
from guard.explain.roles import checks

_NOTABLE = 0.05
"""Share of own work up to which more or less waiting means nothing."""


def chain(facts: Facts) -> list[Link]:
    """All links that something is known of, in the order in which they bear on each other."""
    makers = (
        _peers, _own_work, _evidence, _fast, _spells, _waiting, _cost, checks, cause, instruments, faults, _job,
    )  # fmt: skip
    # What decided comes first, where it was not own work.
    decided = checks if hangs(facts) else faults if facts.said.status is Status.FAULT else None
    links = (make(facts) for make in sorted(makers, key=lambda make: make is not decided))
    return [link for link in links if link is not None]


def _peers(facts: Facts) -> Link | None:
    peers, newest = facts.peers(), facts.newest
    if newest is None or peers is None:
        return None
    text = [f"{count(peers, 'other node')} with the same part in the job: {_part(facts)}."]
    if facts.compared[-1].widened:
        text.append(
            "Too few have the very same part, so nodes with other tensor or expert roles are among them: enough"
            " to suspect a node, not to accuse it."
        )
    needed = facts.policy.peers
    text.append(
        f"That is enough to accuse one ({needed} needed)."
        if peers >= needed
        else f"That is too few to accuse one: {needed} are needed."
    )
    return Link("Who it is compared with", text)


def _part(facts: Facts) -> str:
    newest = facts.newest
    kind = plain(newest.labels.get("instance_type", "instance type not told")) if newest else ""
    ranks = newest.ranks if newest else None
    stages = sorted({stage for stage in (ranks.stage or []) if stage is not None}) if ranks else []
    named = ", ".join(str(stage) for stage in stages[:4])
    return f"{'stage' if len(stages) < 2 else 'stages'} {named}, {kind}" if stages else f"no stages told, {kind}"


def _own_work(facts: Facts) -> Link | None:
    compared = facts.compared
    if not compared:
        return None
    newest = compared[-1]
    own, typical = newest.own or 0.0, newest.typical or 0.0
    text = ["Own work is compute, data and host: what waiting for others cannot stretch."]
    last = f"Last window: {seconds(own)} a step, median of its peers {seconds(typical)}"
    if typical > 0 and newest.score is not None:
        last += f": {times(own / typical)} times, {newest.score:+.2g} sigma of their robust spread"
    text.append(f"{last}.")
    if newest.healthy is not None and typical > 0:
        text.append(f"Up to {times(newest.healthy / typical)} times counts as healthy.")
    return Link("Own work per step", text, "own")


def _evidence(facts: Facts) -> Link | None:
    compared = facts.compared
    if not compared:
        return None
    newest, strongest = compared[-1], max(compared, key=lambda seen: seen.evidence)
    text = [f"Evidence {newest.evidence:.0f} of {newest.bar:.0f} needed at {facts.clock(newest.end)}."]
    if strongest.evidence <= 0:
        return Link("Evidence over time", [*text, "None has gathered in all this time."])
    began = next(seen for seen in compared if seen.evidence > 0)
    text.append(f"It began to gather at {facts.clock(began.start)}.")
    if facts.retold.accused is not None and facts.on_times:
        text.append(f"First accused at {facts.clock(facts.retold.accused)}.")
    passed = next((seen for seen in compared if seen.evidence >= seen.bar), None)
    if passed is not None:
        text.append(f"It was enough by itself at {facts.clock(passed.end)}. No more than twice the need is kept.")
    else:
        text.append(f"The most was {strongest.evidence:.0f}, at {facts.clock(strongest.end)}: never enough.")
    return Link("Evidence over time", text, "evidence")


def _fast(facts: Facts) -> Link | None:
    compared, rule = facts.compared, facts.policy.fast
    large = [seen for seen in compared if seen.large]
    if not large:
        return None
    last = compared[-rule.of :]
    held = sum(seen.large for seen in last)
    text = [
        f"Own work above {rule.ratio:g} times the peers' in {held} of the last {count(len(last), 'window')}.",
        f"{rule.held} of {rule.of} accuse, or {rule.severe_held} in a row above {rule.severe_ratio:g} times.",
        f"{count(len(large), 'window')} of {len(compared)} in all, the first at {facts.clock(large[0].start)}.",
    ]
    return Link("Fast path", text)


def _spells(facts: Facts) -> Link | None:
    begun, quiet = [], 0
    for seen in facts.compared:
        off = bool(seen.typical) and (seen.own or 0.0) > RATIOS[0] * (seen.typical or 0.0)
        if off and quiet >= QUIET:
            begun.append(seen.start)
        quiet = 0 if off else quiet + 1
    if len(begun) < 2:
        return None
    text = (
        f"{len(begun)} times its own work rose above {RATIOS[0]:g} times the peers' after it had been well, first"
        f" at {facts.clock(begun[0])}. What recurs so often is evidence, however short each time."
    )
    return Link("Spells", [text])


def _waiting(facts: Facts) -> Link | None:
    mine = middle([seen.waits for seen in facts.lately])
    others = middle([seen.others_wait for seen in facts.lately])
    if mine is None or others is None:
        return None
    text = [f"In collectives it spends {seconds(mine)} a step, its peers {seconds(others)}."]
    own = facts.own()
    excess = max(own[0] - own[1], _NOTABLE * own[1]) if own else _NOTABLE * others
    if others - mine > 0.5 * excess:
        text.append("It arrives last and the others wait for it: it is slow by itself.")
    elif mine - others > 0.25 * excess:
        text.append("It waits longer than they do, which one who holds up the others does not.")
    else:
        text.append("It waits as they do.")
    return Link("Waiting", text, "waiting")


def _cost(facts: Facts) -> Link | None:
    said = facts.said
    if said.slowdown is None or hangs(facts):
        return None
    step = middle([seen.step_time for seen in facts.lately])
    if step is None:
        return Link("What if", [f"Without its trouble a step would be {share(said.slowdown)} shorter."])
    shorter = step * (1 - said.slowdown)
    text = f"If it were a typical peer, a step would take {seconds(shorter)} instead of {seconds(step)}"
    return Link("What if", [f"{text}: {share(said.slowdown)} less."])


def _job(facts: Facts) -> Link | None:
    job = facts.job
    if job is None:
        return None
    text = [f"Job {plain(job.job)} of {count(job.nodes, 'node')} is {job.status.value}."]
    if job.step_time is not None and job.baseline is not None:
        text.append(f"A step takes {seconds(job.step_time)}; {seconds(job.baseline)} when it went well.")
    accused = [plain(name) for name in job.accused if name != facts.node]
    if accused:
        more = f" and {len(accused) - 3} more" if len(accused) > 3 else ""
        text.append(f"Accused in it: {', '.join(accused[:3])}{more}.")
    elif job.reason and facts.said.status is not Status.SILENT:
        text.append(
            f"Nobody is accused: {plain(job.reason)}."
            if not job.accused
            else f"What is seen: {plain(job.reason)}."
        )
    return Link("The job", text)
