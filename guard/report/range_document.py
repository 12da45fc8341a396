"""A report over a time for programs: one JSON object, ``guard.report-range/1``."""

import json
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from guard.report.ranged import Ranged

SCHEMA = "guard.report-range/1"


def range_document(report: "Ranged") -> str:
    """Write it as JSON with sorted keys, in ASCII so that no name can steer a terminal. Unknown is null."""
    return json.dumps(msgspec.to_builtins(report), sort_keys=True, allow_nan=False)


def range_unanswered(reason: str, now: float) -> str:
    """Write, as JSON, that the question could not be answered, and why."""
    fields = {"schema": SCHEMA, "answer": "unanswered", "exit": 2, "notices": [reason], "time": now}
    return json.dumps(fields, sort_keys=True, allow_nan=False)
