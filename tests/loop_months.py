"""Small months for the tests of the simulated loop: twenty nodes, and faults that are chosen."""

from guard.simulate.assumptions import HOUR, Assumptions
from guard.simulate.faults import SLOWING, Fault, Kind
from guard.simulate.measures import told
from guard.simulate.regimes import Regime, live, policy_of
from simulation.case import FaultKind

SMALL = Assumptions(nodes=16, spares=4, days=1.0)
NEVER = 1e9


def fault(kind=Kind.SLOW, *, node=3, time=6 * HOUR, number=0, **changes):
    """A fault in the middle of nowhere, which nobody notices unless told otherwise."""
    given = {
        "factor": 1.5 if kind in SLOWING else 1.0, "ailment": FaultKind.COMPUTE if kind in SLOWING else None,
        "passes": None, "repair": 2 * HOUR, "accused": None, "noticed": NEVER,
    }  # fmt: skip
    return Fault(number=number, node=node, time=time, kind=kind, **(given | changes))


def month(regime, *faults, given=SMALL, policy=None):
    return live(regime, given, faults, policy or policy_of(given))


def lost(regime, *faults, given=SMALL, policy=None):
    """Seconds of the job that a month lost."""
    return given.seconds - month(regime, *faults, given=given, policy=policy).training.work


def lived(regime, faults, given=SMALL, seed=1):
    return told(live(regime, given, faults, policy_of(given)), regime, seed, given)


__all__ = ["NEVER", "SMALL", "Regime", "fault", "lived", "lost", "month"]
