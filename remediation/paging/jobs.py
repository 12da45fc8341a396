"""Pages about jobs that are slow or stand still with nobody accused."""

from msgspec.structs import replace

from detectors.plain import plain
from detectors.verdict import JobStatus, JobVerdict, Severity, Verdict
from remediation.alerts.notice import About
from remediation.paging import seeing
from remediation.paging.pages import LONGEST, ended, kept, key_of, lost, news, owned, room
from remediation.paging.policy import Paging
from remediation.paging.state import JobStory, Page, SeenJob, State, place
from remediation.table import Table

JOBS = 5000
"""Jobs remembered; pruned when there are a quarter more."""
_BAD = frozenset({JobStatus.SLOW, JobStatus.HUNG})
_OVER = {JobStatus.NORMAL: "the job runs as it should", JobStatus.ENDED: "the job has ended"}


def hear_job(state: State, verdict: JobVerdict, policy: Paging, now: float) -> State:
    """The state after a record of a job; an old one is none."""
    where = place(verdict.cluster, verdict.job)
    before = state.jobs.get(where)
    if before is not None and verdict.time <= before.time:
        return state
    accused, page = (before.accused, before.page) if before is not None else (None, None)
    seen = SeenJob(time=verdict.time, status=verdict.status, nodes=verdict.nodes, accused=accused, page=page)
    state = replace(state, jobs=_pruned(state.jobs.put(where, seen)))
    if verdict.status in _OVER:
        state = _end(state, where, seen, verdict.time, _OVER[verdict.status])
        return seeing.job_ended(state, verdict) if verdict.status is JobStatus.ENDED else state
    if verdict.accused:
        return _hand_over(state, where, seen, verdict.time, verdict.accused[0])
    if verdict.status in _BAD and (seen.accused is None or verdict.time > seen.accused):
        return _stand(state, seen, verdict, policy, now)
    return state


def blame(state: State, verdict: Verdict) -> State:
    """The state after a node of a job was accused: whatever the job suffers is on the node's page."""
    if verdict.job is None:
        return state
    where = place(verdict.cluster, verdict.job.id)
    seen = state.jobs.get(where) or SeenJob(time=0.0, status=JobStatus.STARTING)
    if seen.accused is not None and verdict.time <= seen.accused:
        return state
    seen = replace(seen, accused=verdict.time)
    state = replace(state, jobs=_pruned(state.jobs.put(where, seen)))
    # What the job's newer record says is that nobody is accused any more.
    return _hand_over(state, where, seen, verdict.time, verdict.node) if verdict.time >= seen.time else state


def _stand(state: State, seen: SeenJob, verdict: JobVerdict, policy: Paging, now: float) -> State:
    page = state.pages.get(seen.page) if seen.page is not None else None
    if page is None:
        return _open(state, seen, verdict, policy, now)
    hung = verdict.status is JobStatus.HUNG
    story = JobStory(status=verdict.status, slowdown=verdict.slowdown, reason=(verdict.reason or "")[:LONGEST])
    if not hung or page.severity is Severity.CRITICAL:
        return kept(state, replace(page, story=story), page)
    if page.first is not None:
        page = news(page, verdict.time, severity=Severity.CRITICAL, word=About.HUNG, story=story)
    else:
        page = replace(
            page,
            about=About.HUNG,
            word=About.HUNG,
            severity=Severity.CRITICAL,
            ready=now + policy.gather,
            brief=None,
            story=story,
        )
    return kept(state, page)


def _open(state: State, seen: SeenJob, verdict: JobVerdict, policy: Paging, now: float) -> State:
    if not room(state):
        return lost(state)
    hung = verdict.status is JobStatus.HUNG
    # That it was slow while somebody was accused was on the node's page.
    begun = max(verdict.since, seen.accused or verdict.since)
    page = Page(
        key=key_of("job", verdict.cluster, verdict.job, verdict.since, verdict.time),
        about=About.HUNG if hung else About.SLOW,
        cluster=verdict.cluster,
        job=verdict.job,
        severity=Severity.CRITICAL if hung else Severity.WARNING,
        since=verdict.since,
        opened=begun,
        ready=now + policy.gather if hung else max(now + policy.gather, begun + policy.slow),
        brief=None if hung else policy.slow,
        changed=verdict.time,
        word=About.HUNG if hung else About.SLOW,
        story=JobStory(status=verdict.status, slowdown=verdict.slowdown, reason=(verdict.reason or "")[:LONGEST]),
    )
    where = place(verdict.cluster, verdict.job)
    state = replace(state, jobs=state.jobs.put(where, replace(seen, page=page.key)))
    return kept(state, owned(policy, page))


def _hand_over(state: State, where: str, seen: SeenJob, time: float, node: str) -> State:
    if seen.page is None:
        return state
    reason = f"{plain(node)} is accused, and has its own page"
    return _end(state, where, seen, time, reason, told_elsewhere=True)


def _end(
    state: State, where: str, seen: SeenJob, time: float, reason: str, *, told_elsewhere: bool = False
) -> State:
    page = state.pages.get(seen.page) if seen.page is not None else None
    if page is None:
        return state
    state = replace(state, jobs=state.jobs.put(where, replace(seen, page=None)))
    return ended(state, page, time, reason, told_elsewhere=told_elsewhere)


def _pruned(table: Table[SeenJob]) -> Table[SeenJob]:
    if table.size <= JOBS * 5 // 4:
        return table
    idle = sorted((seen.time, where) for where, seen in table.items() if seen.page is None)
    for _, where in idle[: table.size - JOBS]:
        table = table.drop(where)
    return table
