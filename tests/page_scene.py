"""A pager and all around it: a bus, detectors' and remediator's words, receivers, and the process itself."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from detectors import verdict
from detectors.verdict import Cause, Evidence, JobAttempt, Role, Severity, Status, Verdict
from guard.bus import Bus, BusError, Outgoing, Topic, open_bus
from guard.bus.kafka_settings import KafkaSettings
from remediation import ledger
from remediation.states import NodeState
from tests.pager_receivers import (
    ROUTING_KEY,
    SIGNING_KEY,
    HeartbeatReceiver,
    PagerDutyReceiver,
    Receiver,
    SlackReceiver,
    WebhookReceiver,
)

CLUSTER = "c"
POLICY = {"gather": 0.0, "blind": 10.0, "trouble": 10.0, "storm": {"nodes": 1000}}
"""The shortest times that the configuration takes."""
SECRETS = (ROUTING_KEY, SIGNING_KEY, "slacksecretXXXXXXXXXXXXX", "heartbeatsecret0123")


class Scene:
    """One test's world. Channels: oncall (PagerDuty), team (Slack), hook (webhook), and what `more` says."""

    def __init__(self, directory: Path, stack: ExitStack, bus: str, more: dict[str, Any], prefix: str) -> None:
        self.directory, self._address, self._prefix = directory, bus, prefix
        self.oncall = stack.enter_context(PagerDutyReceiver())
        self.team = stack.enter_context(SlackReceiver())
        self.hook = stack.enter_context(WebhookReceiver())
        self.heart = stack.enter_context(HeartbeatReceiver())
        self.processes: list[subprocess.Popen[bytes]] = []
        self.config = directory / "guard.yaml"
        self.kills = 0
        page = {
            "channels": {
                "oncall": {
                    "kind": "pagerduty",
                    "key_file": self.secret("key", ROUTING_KEY),
                    "url": self.oncall.origin,
                },
                "team": {"kind": "slack", "url_file": self.secret("slack", self.team.url)},
                "hook": {"kind": "webhook", "url": self.hook.url, "secret_file": self.secret("sign", SIGNING_KEY)},
                **more,
            },
            "policy": POLICY,
            "outbox": str(directory / "page.sqlite"),
            "heartbeat": {"url_file": self.secret("heart", self.heart.url), "every": 5},
            "metrics": None,
        }
        self.document: dict[str, Any] = {"cluster": CLUSTER, "bus": bus, "page": page}
        if prefix:
            self.document["kafka"] = {"prefix": prefix}
        self.configure()

    def configure(self) -> None:
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))

    def secret(self, name: str, text: str) -> str:
        file = self.directory / f"{name}.secret"
        file.write_text(text + "\n")
        file.chmod(0o600)
        return str(file)

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        return self.oncall, self.team, self.hook

    def open_bus(self) -> Bus:
        return open_bus(self._address, KafkaSettings(prefix=self._prefix))

    def publish(self, *records: Outgoing) -> None:
        with self.open_bus() as bus:
            bus.publish(records, 10)

    def say(self, *sayings: Verdict) -> None:
        """What a detector says, on both of its topics."""
        self.publish(
            *(
                Outgoing(topic, said.key, verdict.encode(said))
                for said in sayings
                for topic in (Topic.VERDICTS, Topic.STATE)
            )
        )

    def enter(self, *records: ledger.Record) -> None:
        self.publish(
            *(Outgoing(Topic.LEDGER, record.incident or CLUSTER, ledger.encode(record)) for record in records)
        )

    def start(self, point: str = "", number: int = 1) -> subprocess.Popen[bytes]:
        with (self.directory / f"log-{len(self.processes) + 1}").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.pager", self.directory, point, str(number)],
                stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            )  # fmt: skip
        self.processes.append(process)
        return process

    def started(self) -> None:
        """Wait until a pager has come so far that what is said now is news."""
        self.until(lambda: (self.directory / "page.sqlite").exists() and self._began())

    def _began(self) -> bool:
        with sqlite3.connect(f"file:{self.directory}/page.sqlite?mode=ro", uri=True) as connection:
            try:
                return bool(connection.execute("SELECT count(*) FROM pager").fetchone()[0])
            except sqlite3.Error:
                return False

    def kill(self) -> None:
        self.kills += 1
        self.processes[-1].kill()
        self.processes[-1].wait(10)

    def stop(self) -> float:
        """End the newest one, once it is up; how long it took, in seconds."""
        self.until(lambda: "paging starts" in (self.directory / f"log-{len(self.processes)}").read_text())
        began = time.monotonic()
        self.processes[-1].send_signal(signal.SIGTERM)
        assert self.processes[-1].wait(20) == 0, self.log()
        return time.monotonic() - began

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.05)

    def told(self) -> str:
        taken = [[(one.action, one.key) for one in receiver.taken] for receiver in self.receivers]
        problems = [receiver.problems for receiver in self.receivers]
        return f"{taken} {problems}\n{self.log()[-6000:]}"

    def log(self) -> str:
        return "".join(file.read_text() for file in sorted(self.directory.glob("log-*")))

    def pages(self) -> dict[str, list[str]]:
        """What PagerDuty has heard of each page, without repeats."""
        heard: dict[str, list[str]] = {}
        for one in self.oncall.once:
            heard.setdefault(one.key, []).append(one.action)
        return heard


@contextmanager
def scene(directory: Path, bus: str = "", prefix: str = "", **more: Any) -> Iterator[Scene]:
    with ExitStack() as stack:
        it = Scene(directory, stack, bus or f"file:{directory}/bus.sqlite", more, prefix)
        try:
            yield it
        finally:
            for process in it.processes:
                process.kill()
                process.wait(10)


@contextmanager
def alive(it: Scene, *topics: Topic) -> Iterator[set[Topic]]:
    """Agents and detector live: these topics get a record now and then. The set can be changed."""
    living, stop = set(topics), threading.Event()

    def live() -> None:
        while not stop.wait(0.5):
            try:
                it.publish(*(Outgoing(topic, f"{CLUSTER}/n", b"{}") for topic in sorted(living)))
            except BusError:
                continue

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        yield living
    finally:
        stop.set()
        thread.join(15)


def accused(node: str, since: float, *, job: str = "vit") -> Verdict:
    """A straggler, now."""
    return Verdict(
        schema=verdict.VERDICT_SCHEMA, id=verdict.identify(node, since), cluster=CLUSTER, node=node,
        instance=f"i-{node}", job=JobAttempt(job), time=time.time(), since=since, status=Status.STRAGGLER,
        role=Role.CULPRIT, cause=Cause.COMPUTE, device=None, slowdown=0.3, severity=Severity.CRITICAL,
        confidence=0.99, evidence=[Evidence("steps.compute", 2.0, 1.0, 9.0, 5)],
    )  # fmt: skip


def well(node: str, *, job: str = "vit") -> Verdict:
    """The same node without trouble, now."""
    return Verdict(
        schema=verdict.VERDICT_SCHEMA, id=verdict.identify(node, "ok"), cluster=CLUSTER, node=node,
        instance=f"i-{node}", job=JobAttempt(job), time=time.time(), since=time.time(), status=Status.OK,
        role=None, cause=None, device=None, slowdown=None, severity=Severity.INFO, confidence=0.99,
    )  # fmt: skip


def incident(node: str) -> tuple[ledger.Opened, ledger.Moved]:
    """An incident of the ledger, and its end."""
    name, now = f"incident-{node}", time.time()
    opened = ledger.Opened(
        id=verdict.identify(name, "opened"), cluster=CLUSTER, time=now, incident=name, node=node,
        instance=f"i-{node}", job="vit", verdict="straggler", cause="compute", severity="critical", slowdown=0.3,
        since=now,
    )  # fmt: skip
    over = ledger.Moved(
        id=verdict.identify(name, "over"), cluster=CLUSTER, time=now + 1, incident=name,
        before=NodeState.PROBATION, after=NodeState.HEALTHY, reason="it was well for long enough",
    )  # fmt: skip
    return opened, over
