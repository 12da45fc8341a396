"""Healthy noise as presets: what ranks of real jobs differ by.

`AR` and `ST` were measured on ByteDance's traces of those names, without the rank that `AR` slows on purpose,
by ``python -m tools.bytedance noise TRACE...``. Each rank is alone on its node there, so all that is a rank's
own is in `rank`. Persistent differences have standard deviation `spread` / √3. Tails are about a normal's
(excess kurtosis 0.0 to 0.7), and a step's residual tells little of the next recorded one's (autocorrelation
0.03 to 0.21).

What peers differ by in a step is mostly their replica's microbatches: it is correlated 0.84 to 0.98 with the other
stages of the replica, and falls from 0.43 % to 0.12 % in `AR`, from 0.54 % to 0.25 % in `ST`, once those are taken
out.
"""

from simulation.case import Noise

AR = Noise(step=0.008, work=0.0042, rank=0.0013, spread=0.0057)
"""4 stages by 4 replicas, 44 steps of 46.6 s with 32 microbatches. Peers of a stage differ by 0.44 % to 0.53 %
from their median in a step."""

ST = Noise(step=0.0204, work=0.005, rank=0.0024, spread=0.0067)
"""4 stages by 2 replicas, 32 steps of 2.2 s with 4 microbatches. Two peers differ by 0.40 % to 0.64 % from their
middle; steps differ by 2 % on all ranks together."""

SE = Noise(step=0.0204, work=0.11, rank=0.0024, spread=0.0067)
"""Sequences of different length, 11 % between peers in a step, and the job does not tell its work. That figure is
the reference's, of a trace that is not at hand; the rest is `ST`."""

SE_GIVEN = Noise(step=0.0204, work=0.11, rank=0.0024, spread=0.0067, given=True)
"""The same, and the job tells its work."""

PRESETS = (AR, ST, SE, SE_GIVEN)
