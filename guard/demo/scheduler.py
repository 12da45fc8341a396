"""The demo's scheduler, as far as guard needs one: a program that answers `guard.cluster/1`, and does nothing.

It shows the demo's nodes, one more that is idle, and the job on them. The demo's remediator asks before it acts,
and nobody says yes.
"""

import argparse
import json
import sys

SCHEMA = "guard.cluster/1"
JOB = "demo"


def answer(question: dict[str, object], nodes: list[str], instances: list[str]) -> dict[str, object]:
    """What is said to one question of guard's."""
    if question.get("call") != "observe":
        refusal = {"ok": False, "error": "refused", "message": "the demo has no scheduler that could do that"}
        return {"schema": SCHEMA, **refusal}
    working = [
        {"name": name, "instance": instance, "domains": {"rack": "demo"}, "jobs": [JOB]}
        for name, instance in zip(nodes, instances, strict=True)
    ]
    idle = {"name": "demo-spare", "instance": "i-demospare"}
    job = {"name": JOB, "state": "running", "nodes": nodes}
    return {"schema": SCHEMA, "ok": True, "nodes": [*working, idle], "jobs": [job]}


def main() -> None:
    """Answer one question: JSON on stdin, JSON on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", nargs="+", required=True)
    parser.add_argument("--instances", nargs="+", required=True)
    given = parser.parse_args()
    json.dump(answer(json.load(sys.stdin), given.nodes, given.instances), sys.stdout)


if __name__ == "__main__":
    main()
