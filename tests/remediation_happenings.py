"""What happens in the properties of remediation, and how often: chosen so that rails matter."""

from dataclasses import dataclass

import hypothesis.strategies as st

from detectors.verdict import Severity, Status
from remediation.clusters.fake import Trouble

COUNT = 9
NODES = [f"n{i:05}" for i in range(COUNT)]
WHO = st.integers(0, 14)
FAILING = (Trouble.UNAVAILABLE, Trouble.REFUSED, Trouble.HELD_BACK, Trouble.ANSWER_LOST)
TROUBLE = st.sampled_from([None] * 16 + [*FAILING])
ABOUT_ILLNESS = ["well", "ok", "silent", "silent", "untold", "unsure", "sure", "other"]
ABOUT_THE_CLUSTER = ["cordon", "cordon", "uncordon", "out", "out", "down", "recreate", "remove", "rename"]
STUMBLES = ["decide", "decide", "read", "read all", "act", "lose", "follow", "unseen", "few", "none"]
MEANWHILE = [
    (0, ""), (0, ""), (0, "pause"), (1, "pause"), (0, "out"), (1, "out"), (1, "cordon"), (1, "unsure"),
    (1, "down"), (3, "later"), (3, "silent"),
]  # fmt: skip
PENDING = ["", "silent", "silent", "unsure", "untold", "later", "pause", "out", "cordon"]
PASSING = st.fixed_dictionaries(
    {
        "count": st.sampled_from([2, 4, 8, 12]),
        "pace": st.sampled_from([1.0, 3.0, 5.0, 5.0]),
        "trouble": TROUBLE,
        "writes": st.sampled_from(["asked", "asked", "never", "old", "untold"]),
        "blind": st.sampled_from([False] * 11 + [True]),
    }
)
HURRY = [Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL]
KINDS = [Status.STRAGGLER, Status.STRAGGLER, Status.FAULT]
SICK = st.fixed_dictionaries(
    {
        "status": st.sampled_from(KINDS),
        "severity": st.sampled_from(HURRY),
        "confidence": st.sampled_from([0.99, 0.99, 0.5]),
        "lag": st.sampled_from([0.0] * 14 + [2000.0, -500.0]),
    }
)


@dataclass(frozen=True)
class Illness:
    """What a detector goes on saying of a node until something changes. `lag`: seconds its clock is behind."""

    since: float
    status: Status
    severity: Severity
    confidence: float
    instance: str
    job: str | None
    lag: float = 0.0
    told: bool = True
