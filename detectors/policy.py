"""What the detector is told: every threshold, its default, and why it has that value.

``guard.config`` takes :class:`Policy` as the type of its section ``detect``; the type is the schema.
"""

from typing import Annotated

from msgspec import Meta, Struct

from detectors.hang_policy import HangPolicy


class Fast(Struct, frozen=True, forbid_unknown_fields=True):
    """The fast path: a deviation so large that a few windows suffice.

    Only slowness that is left when a window's slowest step is taken out counts: a recompilation is one long step.
    And a busy host of half a minute is no straggler: three windows can be that.
    """

    ratio: Annotated[
        float, Meta(gt=1, description="own work over the peers' median that a window must exceed")
    ] = 1.5
    held: Annotated[int, Meta(ge=1, le=100, description="windows that must exceed it, out of the last `of`")] = 6
    of: Annotated[int, Meta(ge=1, le=100, description="windows looked back on")] = 7
    severe_ratio: Annotated[
        float, Meta(gt=1, description="the same that convicts after `severe_held` windows in a row")
    ] = 1.8
    severe_held: Annotated[int, Meta(ge=1, le=100, description="windows in a row that must exceed it")] = 4

    def __post_init__(self) -> None:
        """Refuse a rule that can never hold."""
        if self.held > self.of:
            raise ValueError(f"fast.held is {self.held}, expected at most fast.of, {self.of}")


class ForestPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """The isolation forest over all hardware signals, where times cannot tell who is slow."""

    accuse: Annotated[
        bool, Meta(description="whether it may accuse, within the budget; otherwise it ranks suspects")
    ] = False


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of the detector. Times in seconds of event time.

    ``floor`` bounds the spread from below: a handful of peers can agree by chance to within a millionth, and then
    any noise would be many standard deviations. Public traces show 0.45 % of noise per step among peers with equal
    batches.
    """

    window: Annotated[float, Meta(gt=0, le=3600, description="seconds; longer where a step takes longer")] = 10.0
    lateness: Annotated[
        float, Meta(ge=0, le=3600, description="seconds a record may come after the watermark and still count")
    ] = 10.0
    silence: Annotated[
        float, Meta(gt=0, le=86400, description="seconds without a record until a node is called silent")
    ] = 90.0
    budget: Annotated[
        float, Meta(gt=0, le=1000, description="false accusations per 1,000 node-days that are put up with")
    ] = 0.01
    tolerance: Annotated[
        float,
        Meta(ge=0, le=1, description="log ratio by which healthy nodes' own work may differ for good, either way"),
    ] = 0.02
    warm_up: Annotated[
        int, Meta(ge=0, le=1000, description="first windows of an attempt, or of a node in it, that do not count")
    ] = 3
    peers: Annotated[int, Meta(ge=2, description="other nodes with the same part needed to accuse one")] = 3
    fast: Fast = Fast()
    clear: Annotated[int, Meta(ge=1, le=1000, description="good windows in a row until a node is ok again")] = 60
    slowdown: Annotated[
        float, Meta(ge=0, le=1, description="share of the job's step time that a culprit must cost")
    ] = 0.01
    common: Annotated[
        float, Meta(gt=0, le=1, description="share of a peer group that, slow together, is nobody's fault")
    ] = 0.2
    floor: Annotated[float, Meta(gt=0, le=1, description="least spread of log own work among peers")] = 0.01
    starting: Annotated[int, Meta(ge=0, le=1000, description="windows until a job has a baseline")] = 6
    slow: Annotated[float, Meta(gt=1, description="step time over its baseline at which a job is slow")] = 1.15
    joined: Annotated[
        int, Meta(ge=1, le=100, description="windows joined at most while waiting for the same steps")
    ] = 60
    hang: HangPolicy = HangPolicy()
    forest: ForestPolicy = ForestPolicy()
    refresh: Annotated[float, Meta(gt=0, description="seconds between repeats of a verdict that is not ok")] = (
        300.0
    )
    job_repeat: Annotated[float, Meta(gt=0, description="seconds between repeats of a job's record")] = 60.0
    forget: Annotated[float, Meta(gt=0, description="seconds unheard until a job or node is forgotten")] = 3600.0
