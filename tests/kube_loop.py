"""The closed loop on Kubernetes: `guard remediate` as a process, beside a real API server and a job on it."""

import contextlib
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml
from kubernetes import client

from guard.bus.file import FileBus
from guard.remediate.ledger import Ledger
from guard.remediate.words import kind, told
from remediation.clusters.kubernetes_records import Mark, mark_of
from remediation.fold import fold
from remediation.incidents import Durable
from remediation.ledger import Act, Intent, Moved, Outcome, Record, Result
from remediation.states import NodeState
from tests.kube_training import Training
from tests.kube_world import KubeWorld
from tools.kafka.ports import free

CLUSTER = "c"
DEADLINE, LOOK, BLIND = 4.0, 2.0, 8.0
"""Seconds: an act, a look, and how old the newest look may be to act on. A hang soon lasts longer than each."""
POLICY: dict[str, Any] = {
    "modes": dict.fromkeys(("cordon", "checkpoint", "restart", "repair", "release"), "auto"),
    "observe": 0.5,
    "view_age": BLIND,
    "confirm": {"warning": 0, "critical": 0},
    "peers": 1,
    "actions": 20,
    "attempts": {"act": 8, "again": 1},
    "economy": {"restart": 1, "checkpoint": 1},
    "lead": {"deadline": DEADLINE, "expires": DEADLINE},
    "verify": 120,
}
_BEAT, _NAP = 0.5, 0.02
_PATIENCE = 150.0
_END = 10.0


class KubeLoop:
    """Two nodes with a job, one with another job, and a spare; a bus, and a remediator that acts by itself.

    Attributes:
        bad: the node that is accused. Nobody of the others may be touched.
        durable: the ledger so far, folded.
    """

    def __init__(self, world: KubeWorld, directory: Path, kubeconfig: Path | None = None) -> None:
        self.world, self._directory = world, directory
        self._kubeconfig = kubeconfig or world.server.kubeconfig
        self.bad, self._others = world.nodes[0], world.nodes[1:]
        self._training = Training(world, CLUSTER, world.start_job("train", world.nodes[:2]), self.bad)
        world.start_job("bystander", world.nodes[2:3])
        self._before = self._state_of_others()
        self.accused = time.time()
        self.durable = Durable()
        self._records: list[tuple[float, Record]] = []
        self._next = 0.0
        (self._port,) = free(1)
        self._file = directory / "guard.yaml"
        self._file.write_text(yaml.safe_dump(self._configuration()))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.closing(self._training))
            self._bus = stack.enter_context(FileBus(self._directory / "bus.sqlite"))
            self._book = stack.enter_context(contextlib.closing(Ledger(self._bus, CLUSTER)))
            self._log = stack.enter_context((self._directory / "log").open("wb"))
            self._process = self._guard("remediate")
            stack.callback(self._end)
            self.until(lambda: self.looks() > 0)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def accuse(self) -> None:
        """The detector finds that the node slows its job."""
        self._training.accused, self.accused = True, time.time()

    def until(self, true: Callable[[], object], patience: float = _PATIENCE) -> None:
        """Let time pass, beat by beat, until it holds."""
        deadline = time.monotonic() + patience
        while not true():
            assert self._process.poll() is None, self.story()
            assert time.monotonic() < deadline, f"not within {patience:g} s\n{self.story()}"
            if time.monotonic() >= self._next:
                self._training.beat(self._bus)
                self._next = time.monotonic() + _BEAT
            time.sleep(_NAP)

    def crash(self) -> None:
        """The remediator is killed, and started again."""
        self._process.kill()
        self._process.wait(_END)
        self._process = self._guard("remediate")

    def release(self) -> None:
        """The verdict is taken back, a person gives the node back, and all that was begun is seen through."""
        self._training.accused = False
        with self._guard("release", self.bad, "--by", "ann", "--reason", "new fan") as command:
            self.until(lambda: command.poll() is not None)
        assert command.returncode == 0, self.story()
        self.until(lambda: not self.open())

    def looks(self) -> float:
        """How often the remediator has seen the cluster."""
        with contextlib.suppress(OSError), urllib.request.urlopen(self._metrics, timeout=5) as answer:  # noqa: S310
            found = re.search(
                rb'^guard_remediate_observations_total{result="seen"} (\S+)', answer.read(), re.MULTILINE
            )
            return float(found[1]) if found else 0.0
        return 0.0

    def looked(self, times: int) -> None:
        """Wait until it has looked this often again: it has done by then what it wants to do."""
        enough = self.looks() + times
        self.until(lambda: self.looks() >= enough)

    def ledger(self) -> list[Record]:
        """Every record until now."""
        while found := self._book.poll():
            for entered in found:
                self._records.append((entered.taken, entered.record))
                self.durable = fold(self.durable, entered.record, entered.offset)
        return [record for _, record in self._records]

    def of(self, sort: type) -> list[Any]:
        return [record for record in self.ledger() if isinstance(record, sort)]

    def outcomes(self, act: Act) -> list[Outcome]:
        mine = {intent.id for intent in self.of(Intent) if intent.act is act}
        return [outcome for outcome in self.of(Outcome) if outcome.intent in mine]

    def done(self) -> Counter[Act]:
        """How often each act is said to have been done."""
        return Counter({act: sum(one.result is Result.DONE for one in self.outcomes(act)) for act in Act})

    def states(self) -> list[NodeState]:
        return [record.after for record in self.of(Moved)]

    def open(self) -> set[str]:
        """Acts whose end nobody has told, incidents, and restarts that are still being seen through."""
        self.ledger()
        return {*self.durable.alive, *self.durable.incidents, *(job for job, _ in self.durable.verifying)}

    def node(self) -> client.V1Node:
        return self.world.core.read_node(self.bad)

    def job(self, name: str = "train") -> client.V1Job:
        return self.world.batch.read_namespaced_job(name, self.world.namespace)

    def mark(self) -> Mark | None:
        """The restart that guard asked for last."""
        return mark_of(self.job().metadata.annotations or {})

    def where(self) -> dict[str, str]:
        """Pods of the job, and the node of each."""
        return {pod.metadata.uid: pod.spec.node_name for pod in self.world.running("train")}

    def events(self, reason: str) -> int:
        """Guard's on the node."""
        where = f"involvedObject.name={self.bad},reason={reason}"
        return len(self.world.core.list_namespaced_event("default", field_selector=where).items)

    def others_changed(self) -> bool:
        """Whether anybody has written to another node or to the other job."""
        return self._state_of_others() != self._before

    def story(self) -> str:
        """The ledger, in seconds since the accusation, and what the process said."""
        self.ledger()
        lines = [f"{taken - self.accused:7.2f} {kind(one):12} {told(one)}" for taken, one in self._records]
        return "\n".join([*lines, (self._directory / "log").read_text()])

    @property
    def _metrics(self) -> str:
        return f"http://127.0.0.1:{self._port}/metrics"

    def _configuration(self) -> dict[str, Any]:
        world = self.world
        cluster = {
            "kind": "kubernetes",
            "kubeconfig": str(self._kubeconfig),
            "nodes": world.settings.nodes,
            "namespace": world.namespace,
        }
        remediation = {"look_within": LOOK, "metrics": f"127.0.0.1:{self._port}", "policy": POLICY}
        bus = f"file:{self._directory}/bus.sqlite"
        return {"cluster": CLUSTER, "bus": bus, "remediation": {"cluster": cluster, **remediation}}

    def _guard(self, *words: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "guard.commands", "--config", str(self._file), *words]
        return subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def _end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_END)
        finally:
            self._process.kill()
            self._process.wait(_END)

    def _state_of_others(self) -> dict[str, str]:
        """Whoever writes to a node changes its version; of the other job, its pods and what is asked of it."""
        nodes = {name: self.world.core.read_node(name).metadata.resource_version for name in self._others}
        pods = {pod.metadata.uid: pod.spec.node_name for pod in self.world.pods("bystander")}
        job = self.job("bystander").metadata
        return {**nodes, **pods, job.uid: str(job.generation)}
