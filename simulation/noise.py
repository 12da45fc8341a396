"""Healthy noise as presets. The numbers are those of the reference: ByteDance's traces, per step and rank."""

from simulation.case import Noise

AR = Noise(rank=0.0045)
"""Equal batches: 0.45 % between peers in a step."""

ST = Noise(rank=0.0045, work=0.11)
"""Sequences of different length, 11 % between peers in a step, and the job does not tell its work."""

ST_GIVEN = Noise(rank=0.0045, work=0.11, given=True)
"""The same, and the job tells its work."""

PRESETS = (AR, ST, ST_GIVEN)
