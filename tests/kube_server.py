"""A real Kubernetes control plane on this machine: etcd, the API server, the controllers and the scheduler.

There is no kubelet: nodes and what runs on them are objects that a test writes (``tests.kube_objects``). Every
process is bound to the one that started it and dies with it. Of the controllers only those run that guard's acts
lean on; the one that would call nodes without a kubelet lost does not.
"""

import contextlib
import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Self

from kubernetes import client

from tests.kube_programs import programs
from tools.kafka import ports
from tools.kafka.certificates import Authority

_START_SECONDS = 200.0
_STOP_SECONDS = 10.0
_ADMIN = "admin-token-of-a-test"
_CONTROLLERS = (
    "disruption",
    "job",
    "serviceaccount",
    "garbagecollector",
    "namespace",
    "root-ca-certificate-publisher-controller",
)


class KubeError(RuntimeError):
    """The control plane did not come up; the message quotes the end of a log."""


class Process:
    """A program of the control plane with its log; started, stopped for a while, killed, always reaped."""

    def __init__(self, directory: Path, *words: str) -> None:
        self.log = directory / f"{Path(words[0]).name}.log"
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.log.parent,
            )

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End it at once, as a crash does, and reap it."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"{self.log} ends:\n" + "\n".join(lines[-25:])


class KubeServer:
    """The control plane; ``url`` and ``authority`` are what a client needs, and a token."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        built = programs()
        if built is None:
            raise KubeError("Kubernetes was not built here; run tools/kube/build")
        authority = Authority(directory / "certificates", "trn-guard test kubernetes")
        self.authority = authority.certificate
        port, store, peers = ports.free(3)
        self.url = f"https://127.0.0.1:{port}"
        self._store = Process(directory, *_etcd(directory, store, peers))
        self._api = Process(directory, str(built / "kube-apiserver"), *_api(directory, authority, port, store))
        self.kubeconfig = access = _kubeconfig(directory, self.url, authority.certificate)
        self._others = [
            Process(directory, str(built / "kube-controller-manager"), *_controllers(access)),
            Process(directory, str(built / "kube-scheduler"), f"--kubeconfig={access}", *_ALONE),
        ]

    def __enter__(self) -> Self:
        try:
            self._store.start()
            self._api.start()
            self._wait("/readyz", [self._store, self._api])
            for process in self._others:
                process.start()
            # The service account controller made one: the controllers work.
            self._wait("/api/v1/namespaces/default/serviceaccounts/default", self._others)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self._others, self._api, self._store]:
            process.stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """An API server that takes connections and answers nobody."""
        self._api.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._api.send(signal.SIGCONT)

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        """No API server at all; afterwards it is back on the same port, with what it knew."""
        self._api.stop()
        try:
            yield
        finally:
            self._api.start()
            self._wait("/readyz", [self._store, self._api])

    def configuration(self, token: str = _ADMIN) -> client.Configuration:
        """How the holder of ``token`` reaches it; the administrator unless given."""
        configuration = client.Configuration(host=self.url)
        configuration.ssl_ca_cert = str(self.authority)
        configuration.api_key["BearerToken"] = f"Bearer {token}"
        return configuration

    def client(self, token: str = _ADMIN) -> client.ApiClient:
        """A client of the holder of ``token``. The caller closes it."""
        return client.ApiClient(self.configuration(token))

    def _wait(self, path: str, processes: list[Process]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        trust = create_default_context(cafile=self.authority)
        while not _answers(self.url + path, trust):
            for process in processes:
                if not process.running:
                    raise KubeError(f"it ended before it served; {process.tail()}")
            if time.monotonic() > deadline:
                raise KubeError(f"it did not serve in time; {processes[-1].tail()}")
            time.sleep(0.05)


_ALONE = ("--leader-elect=false", "--secure-port=0")


def _etcd(directory: Path, port: int, peers: int) -> list[str]:
    here, there = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    return [
        "etcd",
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={here}",
        f"--advertise-client-urls={here}",
        f"--listen-peer-urls={there}",
        f"--initial-advertise-peer-urls={there}",
        f"--initial-cluster=default={there}",
        "--unsafe-no-fsync",  # it loses nothing when a process ends, and this machine's end ends the test
    ]


def _api(directory: Path, authority: Authority, port: int, store: int) -> list[str]:
    server = authority.issue("kube-apiserver", hosts=["127.0.0.1", "localhost"])
    signer = authority.issue("service-accounts")
    tokens = directory / "tokens.csv"
    tokens.write_text(f"{_ADMIN},admin,admin,system:masters\n")
    return [
        f"--etcd-servers=http://127.0.0.1:{store}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--token-auth-file={tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={signer.certificate}",
        f"--service-account-signing-key-file={signer.key}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
    ]


def _controllers(access: Path) -> list[str]:
    return [f"--kubeconfig={access}", f"--controllers={','.join(_CONTROLLERS)}", *_ALONE]


def _kubeconfig(directory: Path, url: str, authority: Path) -> Path:
    path = directory / "kubeconfig"  # JSON is YAML
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": "admin", "user": {"token": _ADMIN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    }
    path.write_text(json.dumps(content))
    return path


def _answers(url: str, trust: SSLContext) -> bool:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {_ADMIN}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:  # noqa: S310
            return answer.status == 200
    except OSError:
        return False
