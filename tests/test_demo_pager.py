"""The demo's stand-ins: a pager that takes what is signed, and a scheduler that shows and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from guard.demo.pager import Pager
from remediation.alerts.notice import Kind
from remediation.alerts.opening import open_channel
from remediation.alerts.settings import Webhook
from remediation.clusters.command import CommandCluster
from remediation.clusters.protocol import RefusedError, Stamp
from tests.test_demo import notice


def test_the_pager_takes_what_guard_signs_each_notice_once(tmp_path: Path) -> None:
    with Pager(tmp_path) as pager:
        channel = open_channel("oncall", Webhook(url=pager.url, secret_file=str(pager.secret)))
        for kind in (Kind.TRIGGER, Kind.TRIGGER, Kind.RESOLVE):
            channel.send(notice("demo-node-1", kind), 5.0)
        channel.close()
        assert [one.kind for one in pager.notices] == [Kind.TRIGGER, Kind.RESOLVE]
        assert pager.resolved("demo-node-1")
        assert not pager.resolved("demo-node-2")


@pytest.mark.parametrize("signature", ["", "v1,AAAA", "v1, AAAA"])
def test_the_pager_takes_nothing_that_guard_did_not_sign(tmp_path: Path, signature: str) -> None:
    with Pager(tmp_path) as pager:
        headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": signature}
        assert httpx.post(pager.url, content=b"{}", headers=headers, timeout=5).status_code == 401
        assert pager.notices == []


def test_the_scheduler_shows_the_nodes_with_their_job_and_an_idle_one_and_does_nothing() -> None:
    command = [sys.executable, "-m", "guard.demo.scheduler", "--nodes", "a", "b", "--instances", "i-a", "i-b"]
    cluster = CommandCluster(command)
    view = cluster.observe(10.0)
    assert {name: (node.instance, set(node.jobs)) for name, node in view.nodes.items()} == {
        "a": ("i-a", {"demo"}),
        "b": ("i-b", {"demo"}),
        "demo-spare": ("i-demospare", set()),
    }
    assert view.jobs["demo"].nodes == {"a", "b"}
    with pytest.raises(RefusedError):
        cluster.cordon(view.nodes["a"], Stamp("inc-1", "compute"), 10.0)
    assert json.loads(subprocess.run(command, input=b"{}", capture_output=True, check=True, timeout=10).stdout)
