"""The structure: imports run one way, files stay small, and each process loads no more than it needs."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "collectors": set(),
    "sweeps": set(),
    "detectors": {"collectors"},
    "simulation": {"collectors", "detectors"},
    "remediation": {"collectors", "detectors", "sweeps"},
    "guard": {"collectors", "detectors", "sweeps", "simulation", "remediation"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} if node.module != "guard" else {f"guard.{a.name}" for a in node.names}
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package):
    allowed = MAY_IMPORT[package] | {package}
    exception = {"guard.ring"} if package == "collectors" else set()
    for path in (ROOT / package).rglob("*.py"):
        for name in imported(path) - exception:
            root = name.partition(".")[0]
            assert root not in MAY_IMPORT or root in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_the_door_of_guard_imports_nothing_and_the_hook_only_the_ring():
    assert imported(ROOT / "guard/__init__.py") == set()
    for path in (ROOT / "guard/ring.py", *sorted((ROOT / "guard/steps").glob("*.py"))):
        for name in imported(path):
            ours = name == "guard.ring" or name.startswith("guard.steps")
            assert ours or name.partition(".")[0] in sys.stdlib_module_names, f"{path.name} imports {name}"


@pytest.mark.parametrize("folder", [*MAY_IMPORT, "tests", "tools", "examples"])
def test_no_file_is_long(folder):
    for path in (ROOT / folder).rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path


def test_the_lock_file_names_no_registry_and_hashes_everything():
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|index-url", lock)
    pinned = re.findall(r"^[A-Za-z0-9._-]+==[^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9]", lock, re.MULTILINE)) > 10


def test_the_agent_loads_nothing_of_the_detector():
    program = "import sys, guard.commands.agent, guard.agent.assembly; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"numpy", "pandas", "sklearn", "rich"} & set(loaded.stdout.split())


def test_an_agent_on_the_embedded_bus_loads_no_client_of_another(tmp_path):
    program = (
        "import sys, guard.commands.agent, guard.agent.assembly\n"
        "from guard.bus import Outgoing, Topic, open_bus\n"
        "with open_bus(sys.argv[1]) as bus:\n"
        "    bus.publish([Outgoing(Topic.TELEMETRY, 'c/n', b'{}')], 10)\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, f"file:{tmp_path}/bus.sqlite"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    roots = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert not {"kafka", "crc32c", "zstandard"} & roots


def test_the_hook_works_from_a_bare_wheel_beside_a_foreign_package_of_the_same_name(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"],
        cwd=ROOT, check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "-t", tmp_path / "site", wheel],
        check=True, timeout=100,
    )  # fmt: skip
    foreign = tmp_path / "work" / "collectors"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise RuntimeError('this is not the collectors you look for')")
    program = (
        "import sys; before = set(sys.modules); from guard import steps\n"
        "with steps.open(directory='.', job='j') as r:\n"
        "    with r.step(): pass\n"
        "    assert r.problem is None, r.problem\n"
        "print(*(set(sys.modules) - before))"
    )
    environment = {"PYTHONPATH": f"{tmp_path / 'work'}{os.pathsep}{tmp_path / 'site'}", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in done.stdout.split():
        root = name.partition(".")[0]
        assert root in sys.stdlib_module_names or name in ("guard", "guard.ring") or name.startswith("guard.steps")
