"""Figures that others have published, to stand beside ours. Their data are their own, and not public."""

from typing import NamedTuple

REMARK = "Published figures are from their authors' own clusters: the data differ, so they compare in kind only."


class Published(NamedTuple):
    """What a paper states, as it states it; empty where it states nothing."""

    system: str
    false_positives: str = ""
    false_negatives: str = ""
    precision: str = ""
    recall: str = ""
    f1: str = ""


PUBLISHED = (
    Published("GUARD (MLSys 2026)", false_positives="12.4 %", false_negatives="7.8 %"),
    Published("Minder (NSDI 2025)", precision="0.904", recall="0.883", f1="0.893"),
)
