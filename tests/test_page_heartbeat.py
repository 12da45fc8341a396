"""The dead man's switch: beats while all is well, and is missed from the pager's start on."""

import math
import re
import threading
import time

from prometheus_client import generate_latest

from guard.page.heartbeat import Switch
from guard.page.metrics import Metrics
from guard.page.settings import Heartbeat


def last(metrics: Metrics) -> float:
    page = generate_latest(metrics.registry).decode()
    return float(re.search(r"^guard_page_last_heartbeat_timestamp_seconds (\S+)$", page, re.MULTILINE)[1])


def switched(settings: Heartbeat):
    stop, sent, metrics = threading.Event(), [], Metrics({})
    return Switch(settings, metrics, stop, lambda url, _: sent.append(url)), stop, sent, metrics


def test_nothing_is_sent_and_nothing_missed_where_none_is_configured():
    switch, stop, sent, metrics = switched(Heartbeat())
    switch.start()
    switch.fit()
    stop.set()
    assert sent == []
    assert math.isnan(last(metrics))


def test_it_is_waited_for_from_the_start_and_sent_only_while_all_is_well():
    switch, stop, sent, metrics = switched(Heartbeat(url="http://127.0.0.1:1/", every=5.0))
    begun = time.time()
    switch.start()
    assert last(metrics) >= begun - 1
    deadline = time.monotonic() + 10
    while not sent and time.monotonic() < deadline:
        switch.fit()
        time.sleep(0.02)
    stop.set()
    assert sent == ["http://127.0.0.1:1/"]
