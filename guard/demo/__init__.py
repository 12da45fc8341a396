"""A training job on this machine, with a fault that is real: the whole of guard at work without a cluster.

Each worker process stands for one node. It has an agent of its own and trains a small network in lockstep with
the others, over an all-reduce that is real. One of them is then slowed by stopping and continuing its process,
and the detector, which sees telemetry only, has to name it. ``guard.demo.run.run`` is the door.
"""
