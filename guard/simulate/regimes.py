"""The three regimes: who answers to what happens."""

from enum import StrEnum

from guard.simulate.assumptions import Assumptions
from guard.simulate.faults import Fault
from guard.simulate.month import Answer, Month
from guard.simulate.people import People, Scheduler
from guard.simulate.remediator import Remediator
from remediation.policy import Attempts, Checkpoint, Economy, Mode, Modes, OutOfService, Policy

AUTO = Modes(Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.AUTO)


class Regime(StrEnum):
    """Who looks after the job. Each is the one before it, and something more."""

    NOTHING = "nothing"
    CHECKS = "hard-fault checks only"
    GUARD = "guard"


def policy_of(given: Assumptions) -> Policy:
    """Mode auto, and the rails of a fleet of this size; all else is as shipped.

    As shipped, four nodes of a cluster may be out, two of a rack and two of a job, and a job is restarted three
    times a day: a first day's limits. With a thousand nodes more than that is in repair all the time.
    """
    most, total = max(given.spares, 1), given.nodes + given.spares
    return Policy(
        modes=AUTO,
        # A hair more than the share that `most` is: it is rounded down.
        out=OutOfService(
            count=most, share=min(most / total + 1e-9, 1.0), domain=max(given.rack // 2, 1), job=most
        ),
        attempts=Attempts(job=12),
        economy=Economy(restart=given.restart, lost_work=given.every, checkpoint=given.write),
        checkpoint=Checkpoint(path="/shared/{job}.json"),
    )


def live(regime: Regime, given: Assumptions, faults: tuple[Fault, ...], policy: Policy) -> Month:
    """Let a month pass in one regime."""
    month = Month(given)
    answers: list[Answer] = [People(month, restart=regime is Regime.NOTHING)]
    if regime is not Regime.NOTHING:
        answers.append(Scheduler(month))
    if regime is Regime.GUARD:
        answers.append(Remediator(month, policy))
    month.run(faults, answers)
    return month
