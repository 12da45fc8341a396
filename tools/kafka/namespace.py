"""Network namespaces for brokers, so that a test can cut the network to one and heal it.

Every namespace is joined to this machine by a pair of virtual interfaces, and to the others through this machine.
A process that sleeps holds it; the kernel kills that with us and removes namespace, interfaces and routes, so that
nothing stays behind even a SIGKILL. Needs root and iproute2.
"""

import contextlib
import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from tools.kafka.broker import Place

_SECONDS = 10.0
_INSIDE = "inside"


def available() -> bool:
    """Whether namespaces can be made here."""
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in ("ip", "tc", "unshare", "nsenter")):
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


class Namespace:
    """A place for one broker: an address in 10.231.0.0/16 that this machine reaches until it is ``cut``."""

    def __init__(self, block: int, number: int) -> None:
        self._outside = f"trn{block}n{number}"
        # A /30 for each: one address outside, one inside.
        self._gateway, self.address = (f"10.231.{block}.{4 * number + end}" for end in (1, 2))
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", "sleep", "infinity"],
            start_new_session=True,
        )
        try:
            self._wait_apart()
            self._join()
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> Place:
        """Where a broker of this namespace runs."""
        return Place(self.address, self._enter)

    def cut(self) -> None:
        """Drop every packet from and to the namespace, without a word to either side."""
        _run("tc", "qdisc", "replace", "dev", self._outside, "root", "pfifo", "limit", "0")
        _run(*self._enter, "tc", "qdisc", "replace", "dev", _INSIDE, "root", "pfifo", "limit", "0")

    def heal(self) -> None:
        """Let packets through again. May be called when nothing is cut."""
        for words in ((), self._enter):
            device = _INSIDE if words else self._outside
            subprocess.run([*words, "tc", "qdisc", "del", "dev", device, "root"], capture_output=True, check=False)

    def close(self) -> None:
        """Give the namespace up; it goes when the broker in it has ended."""
        subprocess.run(["ip", "link", "delete", self._outside], capture_output=True, check=False)
        self._holder.kill()
        self._holder.wait()

    @property
    def _enter(self) -> tuple[str, ...]:
        return "nsenter", "--target", str(self._holder.pid), "--net", "--"

    def _wait_apart(self) -> None:
        ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{self._holder.pid}/ns/net")
        deadline = time.monotonic() + _SECONDS
        while theirs.readlink() == ours.readlink():
            if self._holder.poll() is not None or time.monotonic() > deadline:
                raise OSError("unshare --net made no network namespace; it needs root and a kernel that allows it")
            time.sleep(0.005)

    def _join(self) -> None:
        outside, holder = self._outside, str(self._holder.pid)
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", _INSIDE, "netns", holder)
        _run("ip", "address", "add", f"{self._gateway}/30", "dev", outside)
        _run("ip", "link", "set", outside, "up")
        # From one namespace to another; for these interfaces alone.
        Path(f"/proc/sys/net/ipv4/conf/{outside}/forwarding").write_text("1")
        _run(*self._enter, "ip", "link", "set", "lo", "up")
        _run(*self._enter, "ip", "address", "add", f"{self.address}/30", "dev", _INSIDE)
        _run(*self._enter, "ip", "link", "set", _INSIDE, "up")
        _run(*self._enter, "ip", "route", "add", "default", "via", self._gateway)


class Network:
    """Several namespaces; hand ``places`` to a ``KafkaCluster`` and close this after it."""

    def __init__(self, count: int) -> None:
        self._exit = contextlib.ExitStack()
        self.namespaces: dict[int, Namespace] = {}
        with contextlib.ExitStack() as undo:
            block = _unused_block()
            for number in range(1, count + 1):
                namespace = Namespace(block, number)
                undo.callback(namespace.close)
                self.namespaces[number] = namespace
            self._exit = undo.pop_all()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the nodes run, in the order of their numbers."""
        return tuple(namespace.place for namespace in self.namespaces.values())

    def cut(self, number: int) -> None:
        """Cut the network to node ``number``."""
        self.namespaces[number].cut()

    def heal(self) -> None:
        """Undo every cut."""
        for namespace in self.namespaces.values():
            namespace.heal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()


def _unused_block() -> int:
    """The third byte of addresses that nothing here uses. Should two runs draw the same, the interfaces clash."""
    known = _run("ip", "-4", "address") + _run("ip", "-4", "route")
    return random.choice([block for block in range(1, 255) if f"10.231.{block}." not in known])


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
