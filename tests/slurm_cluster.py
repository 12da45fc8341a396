"""A real Slurm cluster on this machine: several slurmd under names of their own, one slurmctld, one munged.

Nothing of it outlives ``stop``: daemons, steps and jobs all carry the path of the cluster's configuration in their
environment, or have its log open, by which they are found.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import psutil

from tools.kafka import ports

PROGRAMS = ("slurmctld", "slurmd", "munged", "scontrol", "squeue", "sbatch", "srun", "scancel")
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_START = 30.0
_POLL = 0.05

CONFIGURATION = """\
ClusterName=guard
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={directory}/munge/socket
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/%n.pid
SlurmctldLogFile={directory}/log/slurmctld
SlurmdLogFile={directory}/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobRequeue=1
ReturnToService=1
SlurmctldTimeout=10
SlurmdTimeout=15
MessageTimeout=5
KillWait=2
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
PartitionName=main Nodes=ALL Default=YES DefaultTime=10 MaxTime=60 State=UP
"""


def program(name: str) -> str | None:
    """Where one of Slurm's programs is. Debian keeps daemons where a user's PATH may not lead."""
    return shutil.which(name, path=_PATH)


def available() -> bool:
    """Whether this machine has all of Slurm, and this user may run it."""
    return os.geteuid() == 0 and all(program(name) for name in PROGRAMS)


class SlurmCluster:
    """Nodes ``n1`` … of one slot each, in ``directory``, whose path must be short: it holds a socket."""

    def __init__(self, directory: Path, nodes: int = 4) -> None:
        self.directory = directory
        self.nodes = tuple(f"n{number}" for number in range(1, nodes + 1))
        self.configuration = directory / "slurm.conf"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SQUEUE_"))},
            "PATH": _PATH,
            "SLURM_CONF": str(self.configuration),
        }
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> Self:
        """Start everything; back when every node takes work."""
        for folder in ("state", "log", "munge"):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        self._configure()
        try:
            self._start_munge()
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self.until(lambda: all(self.state(node) == "IDLE" for node in self.nodes), _START)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything that belongs to the cluster, and reap what is ours. May be called again."""
        for name in ("slurmctld", *self.nodes, "munged"):
            self._end(name)
        left = self._processes()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=10)

    def call(self, *command: str, check: bool = True) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            [program(command[0]) or command[0], *command[1:]],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
        return done.stdout

    def submit(self, script: Path, options: Sequence[str] = (), arguments: Sequence[str] = ()) -> str:
        """Hand in a batch job, and return its id."""
        return self.call("sbatch", "--parsable", *options, str(script), *arguments).strip()

    def node(self, name: str) -> str:
        """All that the controller says of a node."""
        return self.call("scontrol", "--oneliner", "show", "node", name)

    def state(self, name: str) -> str:
        """Its state and flags, as in ``IDLE+DRAIN``."""
        return self.node(name).partition(" State=")[2].partition(" ")[0]

    def reason(self, name: str) -> str:
        """Why it is drained, without who said so."""
        return self.node(name).partition(" Reason=")[2].partition(" [")[0].strip()

    def job(self, number: str) -> tuple[str, int, str]:
        """State, restarts and nodes of a job."""
        wanted = "State:|,RestartCnt:|,NodeList:|"
        state, restarts, nodes, _ = self.call("squeue", "-h", "-t", "all", "-j", number, "-O", wanted).split("|")
        return state, int(restarts), nodes

    def written_down(self, number: str) -> bool:
        """Whether a restarted controller would know the job: its state is saved now and then, not at once."""
        return (self.directory / "state" / f"hash.{int(number) % 10}" / f"job.{number}").exists() and (
            self._age("job_state") < self._age(f"hash.{int(number) % 10}/job.{number}")
        )

    def clear(self) -> None:
        """End all jobs and bring all nodes back: what the next test expects."""
        self.call("scancel", "--full", "--signal=KILL", "--user", pwd.getpwuid(os.geteuid()).pw_name, check=False)
        self.call("scancel", "--user", pwd.getpwuid(os.geteuid()).pw_name, check=False)
        self.until(lambda: not self.call("squeue", "-h"), _START)
        for node in self.nodes:
            if self.state(node) != "IDLE":
                self.call("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
            self.call("scontrol", "update", f"NodeName={node}", "Reason=", "Comment=", check=False)
        self.until(lambda: all(self.state(node) == "IDLE" for node in self.nodes), _START)

    def pause_controller(self) -> None:
        """The controller hangs: connections are taken, nothing answers."""
        self._daemons["slurmctld"].send_signal(signal.SIGSTOP)

    def resume_controller(self) -> None:
        """It goes on."""
        self._daemons["slurmctld"].send_signal(signal.SIGCONT)

    def kill_controller(self) -> None:
        """The controller is gone, as by a power cut."""
        self._daemons["slurmctld"].send_signal(signal.SIGCONT)
        self._daemons["slurmctld"].kill()
        self._daemons["slurmctld"].wait(10)

    def start_controller(self) -> None:
        """Start the controller, again perhaps; back when it answers."""
        self._start("slurmctld", "-D")
        self.until(lambda: "UP" in self.call("scontrol", "ping", check=False), _START)

    def kill_node(self, name: str) -> None:
        """Kill a node's daemon, and leave its job's processes alone."""
        self._daemons[name].kill()
        self._daemons[name].wait(10)

    def start_node(self, name: str) -> None:
        """Start a node's daemon, again perhaps."""
        self._start(name, "-D", "-N", name, daemon="slurmd")

    def ranks(self, node: str) -> list[psutil.Process]:
        """The processes that ``srun`` started on a node, its launchers and the batch script aside."""
        found = []
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                here = process.environ()
                if here.get("SLURMD_NODENAME") == node and "SLURM_PROCID" in here and here.get("SLURM_STEP_ID"):
                    found.append(process)
        return [process for process in found if not process.name().startswith(("slurm", "srun"))]

    @staticmethod
    def until(condition: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s")
            time.sleep(_POLL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _age(self, name: str) -> float:
        path = self.directory / "state" / name
        return time.time() - path.stat().st_mtime if path.exists() else float("inf")

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        user = pwd.getpwuid(os.geteuid()).pw_name
        controller, *daemons = ports.free(1 + len(self.nodes))
        text = CONFIGURATION.format(host=host, port=controller, user=user, directory=self.directory)
        lines = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=500\n"
            for name, port in zip(self.nodes, daemons, strict=True)
        ]
        self.configuration.write_text(text + "".join(lines))
        for name in self.nodes:
            (self.directory / name).mkdir()

    def _start_munge(self) -> None:
        home = self.directory / "munge"
        (home / "key").write_bytes(secrets.token_bytes(128))
        (home / "key").chmod(0o600)
        files = [f"--{name}-file={home}/{name}" for name in ("key", "pid", "log", "seed")]
        self._start("munged", "--foreground", "--force", f"--socket={home}/socket", *files)
        self.until((home / "socket").is_socket, _START)

    def _start(self, name: str, *arguments: str, daemon: str | None = None) -> None:
        leash = [sys.executable, "-m", "guard.demo.leash", str(os.getpid())]
        with (self.directory / "log" / f"{name}.out").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [*leash, program(daemon or name) or "", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, name: str) -> None:
        daemon = self._daemons.pop(name, None)
        if daemon is None or daemon.poll() is not None:
            return
        daemon.terminate()
        daemon.send_signal(signal.SIGCONT)
        try:
            daemon.wait(5)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(10)

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # A step daemon writes its title over its environment; its log tells whose it is.
                if process.name() == "slurmstepd":
                    ours = any(Path(file.path).is_relative_to(self.directory) for file in process.open_files())
                else:
                    ours = process.environ().get("SLURM_CONF") == str(self.configuration)
                if ours:
                    found.append(process)
        return found
