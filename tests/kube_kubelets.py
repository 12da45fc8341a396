"""What the kubelets of a test's nodes would do: a pod that is bound runs, one that is asked to go is gone."""

import contextlib
import threading

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.kube_server import KubeServer

_SECONDS = 30.0


class Kubelets:
    """Of all nodes, for the pods of one namespace. ``linger`` holds back the end of those that are asked to go."""

    def __init__(self, server: KubeServer, namespace: str) -> None:
        self.linger = threading.Event()
        self._api = server.client()
        self._core = client.CoreV1Api(self._api)
        self._namespace = namespace
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join(_SECONDS)
        self._api.close()

    def _work(self) -> None:
        while not self._end.wait(0.05):
            with contextlib.suppress(ApiException, HTTPError, OSError):  # a paused or missing API server
                for pod in self._core.list_namespaced_pod(self._namespace, _request_timeout=5).items:
                    with contextlib.suppress(ApiException):  # it went in between
                        self._serve(pod)

    def _serve(self, pod: client.V1Pod) -> None:
        name = pod.metadata.name
        if pod.metadata.deletion_timestamp is not None:
            if not self.linger.is_set():
                # As kubelets do: how it ended, before it goes. A Job replaces only what it sees failed.
                self._phase(name, "Failed", "False")
                self._core.delete_namespaced_pod(name, self._namespace, grace_period_seconds=0, _request_timeout=5)
        elif pod.spec.node_name and pod.status.phase == "Pending":
            self._phase(name, "Running", "True")

    def _phase(self, name: str, phase: str, ready: str) -> None:
        status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}
        self._core.patch_namespaced_pod_status(name, self._namespace, {"status": status}, _request_timeout=5)
