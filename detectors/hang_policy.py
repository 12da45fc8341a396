"""When a job counts as hung: settings of the detector."""

from typing import Annotated

from msgspec import Meta, Struct


class HangPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """When a job counts as hung, and how clear it must be whom the others wait for."""

    after: Annotated[
        float, Meta(gt=0, description="seconds without a finished step anywhere until a job is hung, at least")
    ] = 300.0
    steps: Annotated[float, Meta(ge=1, description="the same in usual step times")] = 10.0
    pauses: Annotated[float, Meta(ge=1, description="the same in the longest pauses that the job has had")] = 3.0
    dead: Annotated[
        float, Meta(gt=0, description="seconds without a finished step until a dead process counts as a hang")
    ] = 60.0
    waiting: Annotated[
        float,
        Meta(gt=0.5, le=1, description="share of the other nodes' known ranks that must wait in a collective"),
    ] = 0.8
    share: Annotated[
        float, Meta(gt=0, le=1, description="share of the nodes that may be accused of a hang; one always may")
    ] = 0.02
    most: Annotated[int, Meta(ge=1, description="nodes accused of a hang at most, however large the job")] = 4
    fresh: Annotated[
        float, Meta(gt=0, description="seconds a record may differ from most others' and still tell of now")
    ] = 60.0
