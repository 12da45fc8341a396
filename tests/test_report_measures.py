"""Every number of a report over time is derivable: counted again here, naively, from the raw bytes of the topics.

The second count knows nothing of ours but the format of the records: sqlite, json, and a loop over seconds.
"""

import json
import math
import sqlite3
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from guard.commands.report import command
from tests.report_jobs import STALE, Truth, simulated
from tests.report_session import session
from tests.report_week import END, START, WEEK

SEEDS = (1, 2)


class Told:
    """A simulated week: its truth, its bus, and what the command answers."""

    def __init__(self, seed: int, path: Path) -> None:
        week, self.truth = simulated(seed)
        self.path = path / "bus.sqlite"
        self.bus = week.publish(self.path)

    def report(self, *arguments: str) -> dict:
        given = (*arguments, "--since", _iso(START), "--until", _iso(END), "--json")
        result = CliRunner().invoke(command, given, obj=session(self.bus))
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


@pytest.fixture(scope="module", params=SEEDS)
def told(request, tmp_path_factory) -> Told:
    return Told(request.param, tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="module")
def fleet(told: Told) -> dict:
    return told.report("fleet")


@pytest.fixture(scope="module")
def naive(told: Told) -> "Naive":
    return Naive(told.path)


class Naive:
    """The second count."""

    def __init__(self, path: Path) -> None:
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT id, topic, value FROM log ORDER BY id").fetchall()
        verdicts = [json.loads(value) for _, topic, value in rows if topic == "guard.verdicts"]
        self.jobs, self.nodes = defaultdict(list), defaultdict(list)
        for said in verdicts:
            if said["schema"] == "guard.job/1":
                self.jobs[said["job"]].append(said)
            else:
                self.nodes[said["node"]].append(said)
        self.ledger = self._counting(
            [(number, json.loads(v)) for number, topic, v in rows if topic == "guard.ledger"]
        )
        self.seconds = {job: self._paint(records) for job, records in self.jobs.items()}

    @staticmethod
    def _counting(entries: list) -> list:
        """The records that were written under the leader of their time, and facts."""
        leader, counting = None, []
        for number, record in entries:
            if record["kind"] == "leader":
                leader = number
            elif record["kind"] in ("outcome", "applied") or record["epoch"] == leader:
                counting.append(record)
        intents = {record["id"] for record in counting if record["kind"] == "intent"}
        return [one for one in counting if one["kind"] != "outcome" or one["intent"] in intents]

    @staticmethod
    def _paint(records: list) -> list:
        """For each second of the week the record that speaks for it; None: nobody does."""
        painted = [None] * WEEK
        bound, before = START, None
        for number, said in enumerate(records):
            time = int(said["time"])
            following = int(records[number + 1]["time"]) if number + 1 < len(records) else END
            silent = said["reason"] == "no telemetry from any node of the job"
            lasts = following if said["status"] == "ended" else min(following, time + STALE)
            for second in range(time, min(lasts, END)):
                painted[second - START] = None if silent else said
            if said["status"] == "hung" and before != "hung":
                for second in range(max(int(said["since"]), bound), time):
                    painted[second - START] = said
            if said["status"] in ("hung", "starting", "ended"):
                bound = time
            before = said["status"]
        return painted

    def count(self, job: str, *statuses: str) -> int:
        return sum(1 for said in self.seconds[job] if said is not None and said["status"] in statuses)

    def restarts(self, job: str) -> list:
        """Guard's own: the intent, and what was weighed before it."""
        done = {one["intent"] for one in self.ledger if one["kind"] == "outcome" and one["result"] == "done"}
        found = []
        for intent in self.ledger:
            if intent["kind"] == "intent" and intent["act"] == "restart" and intent["subject"] == job:
                weighed = [
                    w for w in self.ledger if w["kind"] == "weighed" and w["incident"] == intent["incident"]
                ]
                if intent["id"] in done:
                    found.append((intent, weighed[-1]))
        return found

    def lost(self, job: str) -> float:
        baseline = next(said["baseline"] for said in self.jobs[job] if said["baseline"])
        return sum(w["lost_work"] * min(1, baseline / w["step_time"]) for _, w in self.restarts(job))

    def failures(self, job: str) -> int:
        failures, counted, before, start = 0, False, None, -math.inf
        for said in self.jobs[job]:
            status = "running" if said["status"] in ("normal", "slow") else said["status"]
            if said["reason"] == "no telemetry from any node of the job" or status == before:
                continue
            if status == "starting" and before is not None:
                ours = [w for i, w in self.restarts(job) if start < i["time"] <= said["time"]]
                failures += not counted and (not ours or any(w["slowdown"] >= 1 for w in ours))
            if status == "starting":
                start = said["time"]
            if status == "hung":
                failures += 1
            if status != "ended":
                counted = status == "hung"
            before = status
        return failures

    def straggled(self, job: str) -> dict:
        """Node-hours by cause, second by second."""
        lost = defaultdict(float)
        ends = {}
        for second, said in enumerate(self.seconds[job]):
            ends[id(said)] = START + second + 1
        for said in self.seconds[job]:
            if said is None or said["status"] not in ("normal", "slow"):
                continue
            shares = []
            for node in said["accused"]:
                spoken = [v for v in self.nodes[node] if v["time"] < ends[id(said)]]
                shares.append((spoken[-1]["cause"], spoken[-1]["slowdown"]))
            whole = max(1, sum(share for _, share in shares))
            for cause, share in shares:
                lost[cause] += said["nodes"] * share / whole / 3600
        return dict(lost)


def test_goodput_is_counted_again(fleet: dict, naive: Naive) -> None:
    above = below = 0.0
    for job in fleet["jobs"]:
        spoken = [said for said in naive.seconds[job["job"]] if said is not None]
        running = [said for said in spoken if said["status"] in ("normal", "slow")]
        useful = sum(min(1, said["baseline"] / said["step_time"]) for said in running)
        lost = naive.lost(job["job"])
        assert job["goodput"] == pytest.approx((useful - lost) / len(spoken), rel=1e-9)
        assert job["lost_work"] == pytest.approx(lost, rel=1e-9)
        assert job["lost_work_unknown"] == job["restarts"] - len(naive.restarts(job["job"]))
        above, below = above + job["nodes"] * (useful - lost), below + job["nodes"] * len(spoken)
    assert fleet["fleet"]["goodput"] == pytest.approx(above / below, rel=1e-9)
    assert fleet["fleet"]["node_hours"] == pytest.approx(below / 3600, rel=1e-9)


def test_where_the_time_went_is_counted_again(fleet: dict, naive: Naive) -> None:
    for job in fleet["jobs"]:
        name, seconds = job["job"], job["seconds"]
        assert seconds["running"] == naive.count(name, "normal", "slow")
        assert seconds["hung"] == naive.count(name, "hung") > 0
        assert seconds["starting"] == naive.count(name, "starting")
        assert seconds["between"] == naive.count(name, "ended")
        assert seconds["unknown"] == naive.seconds[name].count(None) > 0


def test_mttf_is_counted_again(fleet: dict, naive: Naive) -> None:
    failures = running = 0
    for job in fleet["jobs"]:
        mine, time = naive.failures(job["job"]), naive.count(job["job"], "normal", "slow")
        assert (job["failures"], job["mttf"]["mean"]) == (mine, pytest.approx(time / mine))
        failures, running = failures + mine, running + time
    assert fleet["fleet"]["mttf"]["events"] == failures > 10
    assert fleet["fleet"]["mttf"]["mean"] == pytest.approx(running / failures)


def test_node_hours_lost_are_counted_again(fleet: dict, naive: Naive) -> None:
    whole = defaultdict(float)
    for job in fleet["jobs"]:
        causes = naive.straggled(job["job"])
        assert job["stragglers"]["by_cause"] == pytest.approx(causes, rel=1e-9)
        assert job["stragglers"]["unknown_node_hours"] == 0
        for cause, hours in causes.items():
            whole[cause] += hours
    assert fleet["fleet"]["stragglers"]["by_cause"] == pytest.approx(whole, rel=1e-9)
    assert fleet["fleet"]["stragglers"]["node_hours"] == pytest.approx(sum(whole.values()), rel=1e-9)


def test_step_time_and_its_spread_are_counted_again(fleet: dict, naive: Naive) -> None:
    for job in fleet["jobs"]:
        runs = [[]]
        before = None
        for said in naive.seconds[job["job"]]:
            if said is None:
                continue
            if said["status"] == "starting" and before not in (None, "starting"):
                runs.append([])
            before = said["status"]
            if said["status"] in ("normal", "slow"):
                runs[-1].append(said["step_time"])
        means = [sum(run) / len(run) for run in runs if run]
        middle = sum(means) / len(means)
        spread = math.sqrt(sum((mean - middle) ** 2 for mean in means) / (len(means) - 1)) / middle
        assert job["runs"] == len(means)
        assert job["run_spread"] == pytest.approx(spread, rel=1e-6)
        steps = [step for run in runs for step in run]
        assert job["step_time"] == pytest.approx(sum(steps) / len(steps), rel=1e-9)


def test_interventions_and_incidents_are_counted_again(fleet: dict, naive: Naive) -> None:
    orders = [one for one in naive.ledger if one["kind"] == "applied"]
    held = [one for one in naive.ledger if one["kind"] == "moved" and one["after"] == "held"]
    people, summary = fleet["people"], fleet["incidents_summary"]
    assert (people["orders"], people["held"]) == (len(orders), len(held))
    assert people["between"]["mean"] == pytest.approx(WEEK / (len(orders) + len(held)))
    opened = {one["incident"]: one["time"] for one in naive.ledger if one["kind"] == "opened"}
    out = {
        one["incident"]: one["time"]
        for one in naive.ledger
        if one["kind"] == "moved" and one["after"] == "cordoned"
    }
    waits = sorted(time - opened[name] for name, time in out.items())
    assert summary["opened"] == len(fleet["incidents"]) == len(opened)
    assert (summary["out_of_service"]["count"], summary["out_of_service"]["longest"]) == (len(waits), waits[-1])
    assert fleet["accusations"]["count"] == len(opened)
    assert fleet["accusations"]["withdrawn"] == len(opened) - len(out) > 0


def test_the_report_is_close_to_what_truly_happened(fleet: dict, told: Told) -> None:
    for job in fleet["jobs"]:
        truth: Truth = told.truth[job["job"]]
        assert (job["failures"], job["restarts"]) == (truth.failures, truth.starts)
        # What is slow or stopped is told minutes later, and a crash in silence counts as running for three.
        assert job["goodput"] == pytest.approx(truth.goodput, abs=0.01)
        assert job["stragglers"]["node_hours"] == pytest.approx(truth.slowed, rel=0.15)
        assert job["seconds"]["unknown"] == pytest.approx(WEEK - truth.seen.sum(), rel=0.05)


def test_a_job_and_a_node_alone_have_the_numbers_that_they_have_in_the_fleet(told: Told, fleet: dict) -> None:
    one = told.report("job", "pretrain")
    assert one["jobs"] == [job for job in fleet["jobs"] if job["job"] == "pretrain"]
    worst = fleet["nodes"][0]
    assert told.report("node", worst["node"])["nodes"] == [worst]
    assert told.report("incidents")["incidents"] == fleet["incidents"]
