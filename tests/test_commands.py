"""The command line: quick to help, one line for a mistake, no traceback for anybody, and honest exit codes."""

import json
import os
import resource
import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner

from guard.bus import BusUnavailableError
from guard.commands import root
from guard.commands.root import run

COMMANDS = (
    *("agent", "check", "config", "completion", "runbook"),
    *("detect", "report", "explain", "topics"),
    *("remediate", "actions", "why-not", "approve", "reject", "hold", "release", "cordon", "uncordon"),
    *("pause", "resume", "breaker"),
    *("tail", "export", "deadletter", "replay"),
    "demo",
    "bench",
    "simulate",
)


def guard(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "guard.commands", *arguments],
        capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


@pytest.fixture
def sub_command(monkeypatch):
    """Put a function in the place of `guard check`."""

    def replace(function):
        monkeypatch.setattr(root, "_load", lambda _: click.Command("check", callback=function))

    return replace


def test_help_names_every_command_and_imports_none():
    program = "import sys; from guard.commands.root import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    *_, loaded = done.stdout.splitlines()
    for name in COMMANDS:
        assert f"  {name} " in done.stdout
        assert f"guard.commands.{name}" not in loaded.split()
    assert not {"msgspec", "yaml", "numpy", "rich", "sqlite3"} & set(loaded.split())


@pytest.mark.alone
def test_help_is_quick():
    def seconds():
        """Of CPU: what else the machine does at this moment is not the command's fault."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert guard("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.15


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_and_has_help(name):
    result = CliRunner().invoke(root.guard, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: guard {name} ")


def test_version():
    assert guard("--version").stdout.startswith("guard, version ")


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["config", "--nope"], []])
def test_wrong_usage_ends_2_and_shows_how(arguments):
    done = guard(*arguments)
    assert done.returncode == 2
    assert "Usage: guard" in done.stderr
    assert done.stdout == ""


def test_config_prints_what_is_in_force_and_where_from(tmp_path):
    file = tmp_path / "guard.yaml"
    file.write_text("cluster: use1\n")
    done = guard("config", env=os.environ | {"GUARD_CONFIG": str(file)})
    assert done.stdout.startswith(f"# from {file}\n")
    assert yaml.safe_load(done.stdout)["cluster"] == "use1"
    assert yaml.safe_load(done.stdout)["agent"]["period"] == 10.0


def test_config_schema_describes_every_section():
    schema = json.loads(guard("config", "--schema", env=os.environ | {"PYTHONIOENCODING": "ascii"}).stdout)
    sections = (
        "cluster",
        "bus",
        "node",
        "agent",
        "detect",
        "detector",
        "remediation",
        "page",
        "report",
        "kafka",
        "topics",
    )
    assert set(sections) == set(schema["$defs"]["Config"]["properties"])
    assert schema["$defs"]["Agent"]["properties"]["period"]["default"] == 10.0
    assert schema["$defs"]["Agent"]["additionalProperties"] is False


def test_a_mistake_in_the_configuration_is_one_line_and_ends_2(tmp_path):
    file = tmp_path / "guard.yaml"
    file.write_text("agent: {perod: 1}\n")
    done = guard("--config", str(file), "config")
    told = f"guard: {file}:1: agent.perod: unknown key, did you mean 'period'?\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BusUnavailableError("the bus is away"), "guard: the bus is away\n"),
        (
            FileNotFoundError(2, "No such file or directory", "x.ndjson"),
            "guard: x.ndjson: No such file or directory; look at the path\n",
        ),
        (OSError(98, "Address already in use"), "guard: Address already in use\n"),
        (
            ModuleNotFoundError("No module named 'zstandard'", name="zstandard"),
            "guard: check needs more (zstandard): pip install 'trn-guard'\n",
        ),
    ],
)
def test_what_somebody_can_mend_is_one_line_and_ends_2(sub_command, capsys, error, told):
    def fail():
        raise error

    sub_command(fail)
    assert run(["check"]) == 2
    assert capsys.readouterr().err == told


def test_a_bug_keeps_its_traceback(sub_command):
    sub_command(lambda: {}["bug"])
    with pytest.raises(KeyError):
        run(["check"])


def test_an_interrupt_ends_130_in_silence(sub_command, capsys):
    def interrupt():
        raise KeyboardInterrupt

    sub_command(interrupt)
    assert run(["check"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("end", [0, 1])
def test_a_command_chooses_its_exit_code(sub_command, end):
    sub_command(lambda: sys.exit(end))
    with pytest.raises(SystemExit) as ended:
        run(["check"])
    assert ended.value.code == end


BUFFERED = """
import sys, click
from guard.commands import root
root._load = lambda _: click.Command("check", callback=lambda: sys.exit(sys.stdout.write("still in the buffer")))
sys.exit(root.run(["check"]))
"""


@pytest.mark.parametrize(
    "program", [["-m", "guard.commands", "config", "--schema"], ["-c", BUFFERED]], ids=["written", "buffered"]
)
def test_a_reader_who_leaves_ends_the_command_in_silence(program):
    command = [sys.executable, *program]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as process:
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (141, b"")


@pytest.mark.parametrize(
    ("missing", "command", "told"),
    [
        ("numpy", "detect", "guard: detect needs more (numpy): pip install 'trn-guard[detect]'\n"),
        ("psutil", "agent", "guard: agent needs more (psutil): pip install 'trn-guard'\n"),
        ("click", "config", "guard: the command needs click: pip install trn-guard\n"),
    ],
)
def test_a_command_without_its_libraries_says_what_to_install(missing, command, told):
    program = f"import sys; sys.modules[{missing!r}] = None; from guard.commands import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, command], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (2, told)


def test_no_color_reaches_everything_that_prints(sub_command, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    seen = []
    sub_command(lambda: seen.append(os.environ["NO_COLOR"]))
    assert run(["--no-color", "check"]) == 0
    assert seen == ["1"]
