"""How Kubernetes is reached, and answers that no API server gives: each is one of the protocol's errors."""

import contextlib
import http.server
import threading
import time

import pytest
from kubernetes import client

from remediation.clusters.kubernetes import KubernetesCluster, connect
from remediation.clusters.protocol import (
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    NotOursError,
    RefusedError,
    Stamp,
)
from remediation.views import NodeView

STAMP = Stamp("inc-0a1b2c", "compute")
NODE = NodeView("n1", identity="uid-1")
NODE_TEXT = b'{"metadata": {"name": "n1", "uid": "uid-1"}, "spec": {"unschedulable": %s}}'


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives ``server.reply`` to whoever asks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body, headers = self.server.reply
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side may have had enough
            self.wfile.write(body)
            while self.server.drips:
                self.wfile.write(b" ")
                time.sleep(0.1)

    do_PATCH = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, *_):
        pass


@pytest.fixture
def answers():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.drips = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.drips = False
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cluster(answers):
    cluster = KubernetesCluster(client.Configuration(host=f"http://127.0.0.1:{answers.server_port}"))
    yield cluster
    cluster.close()


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"not JSON", {}),
        (200, b'{"items": 3}', {}),
        (200, b'{"items": [{"metadata": {"name": 7}}]}', {}),
        (200, b"\xff\xfe", {}),
        (200, b"[" * 100_000, {}),
        (200, b"cut", {"Content-Length": "1000"}),
        (200, b"{}", {"Content-Encoding": "gzip"}),
        (200, b'{"items": [], "metadata": {"continue": ""}}', {"Content-Length": str(100 << 20)}),
        (302, b"", {"Location": "http://127.0.0.1:1/"}),
        (401, b"", {}),
        (403, b"", {}),
        (410, b"{}", {}),
        (429, b"{}", {"Retry-After": "1"}),
        (500, b"oh", {}),
        (503, b"oh", {}),
    ],
)
def test_a_look_that_fails_is_unavailable_whatever_came(answers, cluster, status, body, headers):
    answers.reply = (status, body, headers)
    with pytest.raises(ClusterUnavailableError):
        cluster.observe(2)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (403, RefusedError),
        (404, GoneError),
        (422, RefusedError),
        (429, HeldBackError),
        (500, ClusterUnavailableError),
        (504, ClusterUnavailableError),
    ],
)
def test_a_refusal_says_whose_matter_it_is(answers, cluster, status, error):
    answers.reply = (status, b'{"message": "because"}', {})
    with pytest.raises(error, match="because"):
        cluster.cordon(NODE, STAMP, 2)


@pytest.mark.parametrize(("value", "after"), [("7", 7.0), ("soon", None), ("-1", None), ("9" * 400, None)])
def test_who_is_told_to_wait_is_told_how_long_where_it_says_so(answers, cluster, value, after):
    answers.reply = (429, b"{}", {"Retry-After": value})
    with pytest.raises(HeldBackError) as caught:
        cluster.cordon(NODE, STAMP, 2)
    assert caught.value.after == after


def test_a_node_whose_fields_nobody_manages_is_not_ours(answers, cluster):
    answers.reply = (200, NODE_TEXT % b"true", {})
    with pytest.raises(NotOursError):
        cluster.uncordon(NODE, STAMP.incident, 2)


def test_a_body_that_drips_ends_with_the_time(answers, cluster):
    answers.reply, answers.drips = (200, b"{", {"Content-Length": "1000000"}), True
    begun = time.monotonic()
    with pytest.raises(ClusterUnavailableError):
        cluster.observe(1)
    assert time.monotonic() - begun < 3


def test_no_way_to_kubernetes_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(RefusedError, match="no service account"):
        connect()
    with pytest.raises(RefusedError, match="missing"):
        connect(tmp_path / "missing")
    for text in ("a: [", "a: 1", "[]", ""):
        (tmp_path / "junk").write_text(text)
        with pytest.raises(RefusedError, match="junk"):
            connect(tmp_path / "junk")


@pytest.mark.needs("kubernetes")
def test_a_kubeconfig_is_a_way(kube_world):
    cluster = KubernetesCluster(connect(kube_world.server.kubeconfig), kube_world.settings)
    try:
        assert set(cluster.observe(10).nodes) == set(kube_world.nodes)
    finally:
        cluster.close()
