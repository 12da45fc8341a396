"""The explanation for programs: one JSON object, ``guard.explain/1``."""

import json
from typing import Any

import msgspec

from guard.explain.explanation import Explanation

SCHEMA = "guard.explain/1"


def document(told: Explanation) -> str:
    """Write it as JSON with sorted keys, in ASCII so that no name can steer a terminal.

    The verdict is as in its own record; `windows` hold what the charts show, see `guard.explain.seen`.
    """
    fields: dict[str, Any] = msgspec.to_builtins(told)
    return json.dumps(fields | {"schema": SCHEMA, "answer": "explained", "exit": 0}, sort_keys=True)


def unanswered(reason: str, now: float) -> str:
    """Write, as JSON, that the question could not be answered, and why."""
    fields = {"schema": SCHEMA, "answer": "unanswered", "exit": 2, "notices": [reason], "time": now}
    return json.dumps(fields, sort_keys=True)
