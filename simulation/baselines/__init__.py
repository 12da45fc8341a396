"""What others do, on the same streams: a file per method, each given its best chance.

Each method says how strongly a window speaks against each node; it is measured at its published threshold,
where there is one, and at the one that scores best on a calibration split (`calibration`), which uses the truth
and so is kinder than any operator's own tuning.
"""

from simulation.baselines.arrival import Arrival
from simulation.baselines.baseline import Baseline, Name, accused
from simulation.baselines.calibration import Peaks, best_threshold
from simulation.baselines.dlrover import DLRover
from simulation.baselines.forest import Forest
from simulation.baselines.greyhound import Greyhound
from simulation.baselines.guardlike import GuardLike
from simulation.baselines.minder import Minder
from simulation.baselines.nvrx import Nvrx
from simulation.baselines.seen import Seen, see
from simulation.baselines.zscore import ZScore

BASELINES: dict[Name, type[Baseline]] = {
    kind.name: kind for kind in (ZScore, Nvrx, DLRover, Minder, Greyhound, Forest, Arrival, GuardLike)
}

__all__ = ["BASELINES", "Baseline", "Name", "Peaks", "Seen", "accused", "best_threshold", "see"]
