"""A cluster that guard does not know, by way of a program of the user's: a question in, an answer out, both JSON.

The program is started for each call, gets one object on stdin, answers with one on stdout, and exits with 0.
What is not an answer in every detail is none: then nothing is known, and nothing is taken for done.

    {"schema": "guard.cluster/1", "call": "cordon", "timeout": 10.0,
     "node": {"name": "n1", …}, "stamp": {"incident": "inc-1", "cause": "compute"}}

is answered with `{"schema": "guard.cluster/1", "ok": true}`, or `{…, "ok": false, "error": "not_ours",
"message": "drained by Ines"}`. `observe` is answered with the lists `nodes` and `jobs`, whose fields are those of
`remediation.views`.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from remediation.clusters import command_run
from remediation.clusters.protocol import (
    ClusterError,
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.views import ClusterView, JobView, NodeView, Repair

SCHEMA = "guard.cluster/1"
LIMIT = 64 << 20
"""Bytes of an answer: 1 KB for each of 62,500 nodes."""

_KINDS: dict[str, type[ClusterError]] = {
    "unavailable": ClusterUnavailableError,
    "not_ours": NotOursError,
    "gone": GoneError,
    "refused": RefusedError,
}


class Answer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the program says. `after`: seconds to wait, of an error that is `held_back`."""

    schema: Literal["guard.cluster/1"]
    ok: bool
    error: Literal["unavailable", "held_back", "not_ours", "gone", "refused"] | None = None
    message: Annotated[str, Meta(max_length=4096)] = ""
    after: Annotated[float, Meta(ge=0)] | None = None
    nodes: list[dict[str, Any]] | None = None
    jobs: list[dict[str, Any]] | None = None


View = TypeVar("View", NodeView, JobView)
_decoder = msgspec.json.Decoder(Answer)


class CommandCluster:
    """Implements `remediation.clusters.protocol.Cluster` with a program."""

    def __init__(self, command: Sequence[str], repairs: frozenset[Repair] = frozenset()) -> None:
        """`command`: the program and its arguments. `repairs`: what it is able to do to a broken node."""
        self._command = tuple(command)
        self._repairs = repairs

    @property
    def repairs(self) -> frozenset[Repair]:
        """What its user says that it can do."""
        return self._repairs

    def observe(self, timeout: float) -> ClusterView:
        """See the protocol."""
        try:
            answer = self._ask("observe", timeout)
        except ClusterUnavailableError:
            raise
        except ClusterError as error:
            raise ClusterUnavailableError(str(error)) from error
        if answer.nodes is None or answer.jobs is None:
            raise self._nonsense("observe is answered with nodes and jobs")
        nodes = {node.name: node for node in self._views(answer.nodes, NodeView)}
        jobs = {job.name: job for job in self._views(answer.jobs, JobView)}
        if len(nodes) != len(answer.nodes) or len(jobs) != len(answer.jobs):
            raise self._nonsense("a name is there twice")
        for job in jobs.values():
            if not job.nodes <= nodes.keys():
                raise self._nonsense(f"job {job.name} is on a node that is not listed")
        return ClusterView(nodes, jobs)

    def cordon(self, node: NodeView, stamp: Stamp, timeout: float) -> None:
        """See the protocol."""
        self._act("cordon", timeout, node=node, stamp=stamp)

    def uncordon(self, node: NodeView, incident: str, timeout: float) -> None:
        """See the protocol."""
        self._act("uncordon", timeout, node=node, incident=incident)

    def restart(self, job: JobView, node: NodeView, timeout: float) -> None:
        """See the protocol."""
        self._act("restart", timeout, job=job, node=node)

    def repair(self, node: NodeView, stamp: Stamp, kind: Repair, timeout: float) -> None:
        """See the protocol."""
        if kind not in self._repairs:
            raise RefusedError(f"{self._command[0]} cannot {kind} a node")
        self._act("repair", timeout, node=node, stamp=stamp, repair=kind)

    def _act(self, call: str, timeout: float, **question: object) -> None:
        answer = self._ask(call, timeout, **question)
        if answer.nodes is not None or answer.jobs is not None:
            raise self._nonsense(f"{call} is answered without nodes and jobs")

    def _ask(self, call: str, timeout: float, **question: object) -> Answer:
        said = command_run.run(
            self._command,
            given=msgspec.json.encode({"schema": SCHEMA, "call": call, "timeout": timeout, **question}),
            environment=os.environ,
            deadline=time.monotonic() + timeout,
            limit=LIMIT,
        )
        if said.code:
            ended = f"exit status {said.code}" if said.code > 0 else f"signal {-said.code}"
            raise ClusterUnavailableError(f"{self._command[0]}: {ended}: {said.errors}")
        try:
            answer = _decoder.decode(said.output)
        except msgspec.DecodeError as error:
            raise self._nonsense(str(error)) from error
        if answer.ok != (answer.error is None):
            raise self._nonsense("an error is there exactly where ok is false")
        if answer.error == "held_back":
            raise HeldBackError(answer.message or call, answer.after)
        if answer.error is not None:
            raise _KINDS[answer.error](answer.message or f"{call}: {answer.error}")
        return answer

    def _views(self, items: list[dict[str, Any]], kind: type[View]) -> list[View]:
        """Views, in which a field with a name of its own is a mistake: it might be `cordoned`, misspelt."""
        known = {field.name for field in fields(kind)}
        unknown = sorted({name for item in items for name in item} - known)
        if unknown:
            raise self._nonsense(f"{kind.__name__} has no field {unknown[0]!r}")
        try:
            return msgspec.convert(items, list[kind])  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            raise self._nonsense(f"{kind.__name__}: {error}") from error

    def _nonsense(self, what: str) -> ClusterUnavailableError:
        return ClusterUnavailableError(f"{self._command[0]}: its answer is not understood: {what}")
