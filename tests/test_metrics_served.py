"""One server for all pages: it costs nothing when clients hang, and an address that cannot be had is explained."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from guard import exposition
from guard.config import Config
from guard.exposition import AddressError, Told, new_registry, serve


@pytest.fixture
def clients():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def registry():
    return new_registry("detect")


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def ask(host: str, port: int) -> bytes:
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        return answer.read()


def eventually(true) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def sent(client: socket.socket, some: bytes) -> bool:
    try:
        client.sendall(some)
    except OSError:
        return False
    return True


def serving() -> int:
    """Connections that are open on the servers of this process."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def answered(port: int) -> bool:
    try:
        return b"guard_build_info" in ask("127.0.0.1", port)
    except OSError:
        return False


def test_a_page_tells_what_runs(registry):
    page = ask("127.0.0.1", serve(registry, "127.0.0.1:0", "detector.metrics")).decode()
    assert 'guard_build_info{process="detect",version="' in page
    assert "process_resident_memory_bytes " in page
    assert "_created" not in page, "no second series for each counter"


@pytest.mark.parametrize("address", ["[::1]:0", "::1:0"])
def test_ipv6_with_and_without_brackets(registry, address):
    assert b"guard_build_info" in ask("[::1]", serve(registry, address, "detector.metrics"))


def test_all_addresses_are_on_loopback_by_default():
    config = Config()
    for address in (config.agent, config.detector, config.remediation, config.page):
        assert address.metrics.startswith("127.0.0.1:")


def test_a_port_that_is_taken_is_named_with_its_key(registry):
    port = serve(registry, "127.0.0.1:0", "detector.metrics")
    with pytest.raises(AddressError) as raised:
        serve(registry, f"127.0.0.1:{port}", "detector.metrics")
    assert raised.value.strerror.startswith(f"detector.metrics: 127.0.0.1:{port}: Address already in use; ")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:70000", "expected a port up to 65535"),
        ("192.0.2.1:0", "Cannot assign requested address"),
        ("no such:1", ""),
    ],
)
def test_an_address_that_cannot_be_is_named_with_its_key(registry, address, reason):
    with pytest.raises(AddressError) as raised:
        serve(registry, address, "--metrics")
    assert raised.value.strerror.startswith(f"--metrics: {address}: ")
    assert reason in raised.value.strerror


@pytest.mark.parametrize(("command", "key"), [("detect", "--metrics"), ("remediate", "--metrics")])
def test_a_command_whose_port_is_taken_ends_with_one_line(registry, tmp_path, command, key):
    port = serve(registry, "127.0.0.1:0", "x")
    (tmp_path / "guard.yaml").write_text(f"bus: file:{tmp_path}/bus.sqlite\n")
    done = subprocess.run(
        [sys.executable, "-m", "guard.commands", "--quiet", command, "--metrics", f"127.0.0.1:{port}"],
        env=os.environ | {"GUARD_CONFIG": str(tmp_path / "guard.yaml")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"guard: {key}: 127.0.0.1:{port}: Address already in use; ")
    assert "Traceback" not in done.stderr


def test_clients_that_say_nothing_are_few_and_let_go(registry, monkeypatch, clients):
    monkeypatch.setattr(exposition, "_SILENCE", 3.0)
    assert eventually(lambda: serving() == 0)
    port = serve(registry, "127.0.0.1:0", "x")
    hanging = [clients.enter_context(connect(port)) for _ in range(3 * exposition.MOST)]
    assert eventually(lambda: serving() == exposition.MOST)
    assert all(one.recv(1) == b"" for one in hanging), "each is closed by the server"
    assert eventually(lambda: serving() == 0)
    assert answered(port)


def test_a_client_that_drips_is_let_go_at_its_deadline(registry, monkeypatch):
    monkeypatch.setattr(exposition, "DEADLINE", 1.0)
    port = serve(registry, "127.0.0.1:0", "x")
    with connect(port) as dripping:
        began = time.monotonic()
        assert eventually(lambda: not sent(dripping, b"x"))
        assert time.monotonic() > began + 0.9, "as long as it has time"
    assert answered(port)


def test_a_client_that_takes_nothing_is_let_go(monkeypatch):
    monkeypatch.setattr(exposition, "_SILENCE", 3.0)
    registry = CollectorRegistry()
    Counter("large", "x" * (8 << 20), registry=registry)
    assert eventually(lambda: serving() == 0)
    port = serve(registry, "127.0.0.1:0", "x")
    with connect(port) as greedy:
        greedy.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert eventually(lambda: serving() == 1)
        assert eventually(lambda: serving() == 0)


def test_scrapers_beyond_the_most_are_turned_away_and_the_others_answered(registry, clients):
    port = serve(registry, "127.0.0.1:0", "x")
    held = [clients.enter_context(connect(port)) for _ in range(exposition.MOST)]
    assert eventually(lambda: not answered(port))
    held.pop().close()
    assert eventually(lambda: answered(port))


def test_a_total_told_is_counted_on_where_it_begins_anew():
    registry = CollectorRegistry()
    told = Told(Counter("lost", "Lost", registry=registry))
    for total in (3, 3, 5, 1):
        told.tell(total)
    assert b"lost_total 6.0" in generate_latest(registry)
