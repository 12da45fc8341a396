"""The report for programs: one JSON object, ``guard.report/1``."""

import json

import msgspec

from guard.report.fold import Health

SCHEMA = "guard.report/1"


def document(health: Health, limit: int | None) -> str:
    """Write a report as JSON with sorted keys, in ASCII so that no name can steer a terminal.

    Verdicts are as in their own records. ``nodes`` holds at most ``limit`` of them, and ``nodes_left_out`` counts
    the rest; nodes that are ``ok`` are listed only where one was asked for by name.
    """
    nodes = [node for node in health.nodes if health.about == "node" or node.verdict.status != "ok"]
    shown = nodes[:limit]
    fields = {
        "schema": SCHEMA,
        "about": health.about,
        "name": health.name,
        "time": health.now,
        "answer": health.answer.name.lower(),
        "exit": int(health.answer),
        "notices": health.notices,
        "heard": health.heard,
        "unreadable": health.unreadable,
        "nodes_by_status": health.counts,
        "accused": health.accused,
        "jobs": [msgspec.to_builtins(job.verdict) | {"unheard": job.unheard} for job in health.jobs],
        "nodes": [msgspec.to_builtins(node.verdict) for node in shown],
        "nodes_left_out": len(nodes) - len(shown),
    }
    return json.dumps(fields, sort_keys=True)


def unanswered(reason: str, now: float) -> str:
    """Write, as JSON, that the question could not be answered, and why."""
    fields = {"schema": SCHEMA, "answer": "unanswered", "exit": 2, "notices": [reason], "time": now}
    return json.dumps(fields, sort_keys=True)
