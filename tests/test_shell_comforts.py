"""A command line that is pleasant to use: quick, completed, without colours where none are wanted, and helpful."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from detectors.nearest import hint, nearest
from detectors.verdict import JobStatus, Role, Status, encode
from guard.bus import Message, Outgoing, Position, Topic
from guard.bus.file import FileBus
from guard.commands import root
from guard.deadletter import dead_letter
from remediation import ledger
from tests import terminal
from tests.test_report import about_job, verdict

COMMANDS = tuple(name for group in root._GROUPS.values() for name in group)
COLORED = (
    ("report",),
    ("report", "node", "n2"),
    ("tail", "verdicts"),
    ("watch", "--once"),
    ("runbook", "storm"),
)
PLAIN = (
    ("actions",),
    ("why-not", "n2"),
    ("deadletter", "list"),
    ("check",),
    ("config",),
    ("page", "list"),
    ("report", "incidents"),
    ("topics", "plan"),
    ("runbook",),
)


def guard(*arguments: str, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "guard.commands", *arguments],
        capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Path:
    """A configuration, and a bus with something on every topic that is shown."""
    folder = tmp_path_factory.mktemp("fleet")
    file = folder / "guard.yaml"
    page = {"outbox": f"{folder}/page.sqlite"}
    file.write_text(yaml.safe_dump({"cluster": "east", "bus": f"file:{folder}/bus.sqlite", "page": page}))
    culprit = verdict("n2", Status.STRAGGLER, Role.CULPRIT, device=5)
    said = [culprit, verdict(), about_job(status=JobStatus.SLOW, accused=["n2"])]
    opened = ledger.Opened(
        id="o", cluster="east", time=time.time(), incident="inc-1", epoch=1, node="n2", instance="i", job="81723",
        verdict="v", cause="compute", severity="warning", slowdown=0.2, since=0.0,
    )  # fmt: skip
    unreadable = Message(Position(Topic.TELEMETRY, 0, 1), "east/81723", b"x", time.time())
    records = [Outgoing(topic, one.key, encode(one)) for one in said for topic in (Topic.STATE, Topic.VERDICTS)]
    records += [Outgoing(Topic.LEDGER, "inc-1", ledger.encode(opened))]
    records += [dead_letter(unreadable, "not JSON")]
    with FileBus(folder / "bus.sqlite") as bus:
        bus.publish(records, 5.0)
    return file


class TestColours:
    @pytest.mark.parametrize("arguments", COLORED, ids=" ".join)
    def test_a_terminal_has_them(self, fleet, arguments):
        assert terminal.run("--config", str(fleet), *arguments).colored

    @pytest.mark.parametrize("arguments", [*COLORED, *PLAIN], ids=" ".join)
    @pytest.mark.parametrize("how", ["before", "behind", "variable"])
    def test_nobody_gets_them_who_does_not_want_them(self, fleet, arguments, how):
        before = ("--no-color",) if how == "before" else ()
        behind = ("--no-color",) if how == "behind" else ()
        variable = {"NO_COLOR": "1"} if how == "variable" else {}
        seen = terminal.run("--config", str(fleet), *before, *arguments, *behind, environment=variable)
        assert seen.text
        assert not seen.colored
        assert "Traceback" not in seen.text

    def test_a_colour_would_be_seen(self):
        found = terminal.Seen("\x1b[1;31mred\x1b[0m", "", 0), terminal.Seen("\x1b[1mbold\x1b[0m", "", 0)
        assert [seen.colored for seen in found] == [True, False]


class TestOptions:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_takes_those_of_guard_and_its_help_says_so(self, name):
        shown = CliRunner().invoke(root.guard, [name, "-q", "--no-color", "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Before or behind the name, too: --config FILE, -v, -q, --no-color." in " ".join(
            shown.output.split()
        )

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_fits_eighty_columns_and_cuts_nothing(self, name):
        command = root._load(name)
        for words in ([name], *([name, inner] for inner in getattr(command, "commands", {}))):
            shown = CliRunner().invoke(root.guard, [*words, "--help"], env={"COLUMNS": "80"}).output
            assert max(map(len, shown.splitlines())) <= 80
            assert not [line for line in shown.splitlines()[1:] if line.endswith("...")]
            assert "RANGE" not in shown

    def test_they_mean_the_same_on_both_sides(self, tmp_path):
        file = tmp_path / "guard.yaml"
        file.write_text("cluster: west\n")
        first = guard("--config", str(file), "config")
        assert first.stdout == guard("config", "--config", str(file)).stdout
        assert "cluster: west" in first.stdout

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize(("option", "level"), [("-v", 10), ("-q", 30), ("--verbose", 10), ("--quiet", 30)])
    def test_the_log_says_more_or_less(self, before, option, level):
        program = (
            "import click, logging, sys; from guard.commands import root\n"
            "root._load = lambda _: click.Command('check', callback=lambda: print(logging.getLogger().level))\n"
            "sys.exit(root.run(sys.argv[1:]))"
        )
        arguments = (option, "check") if before else ("check", option)
        command = [sys.executable, "-c", program, *arguments]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{level}\n"

    def test_inner_commands_take_them_too(self, fleet):
        inner = guard("deadletter", "list", "--config", str(fleet), "-q", "--json")
        assert inner.returncode == 0
        assert '"reason": "not JSON"' in inner.stdout


class TestCompletion:
    def complete(self, *words: str, shell: str = "bash") -> list[str]:
        line = " ".join(("guard", *words))
        given = {"_GUARD_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
        done = guard(env=os.environ | given)
        assert (done.returncode, done.stderr) == (0, "")
        return [answer.partition(",")[2] for answer in done.stdout.splitlines()]

    def test_commands_and_those_of_a_group(self):
        assert self.complete("re") == [name for name in COMMANDS if name.startswith("re")]
        assert self.complete("topics", "") == ["acls", "apply", "plan"]
        assert self.complete("breaker", "r") == ["reset"]

    def test_options_choices_and_names_of_runbooks(self):
        assert self.complete("tail", "--fo") == ["--follow"]
        assert self.complete("--no") == ["--no-color"]
        assert self.complete("tail", "s") == ["state", "snapshots"]
        assert self.complete("topics", "acls", "--role", "re") == ["remediator", "reader"]
        assert self.complete("runbook", "sto") == ["storm"]

    def test_names_of_commands_are_completed_without_loading_one(self):
        program = (
            "import sys; from guard.commands.completion import answer; answer(); "
            "print(*(name for name in sys.modules if name.startswith('guard.commands.')))"
        )
        given = {"_GUARD_COMPLETE": "bash_complete", "COMP_WORDS": "guard de", "COMP_CWORD": "1"}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | given
        )
        *_, loaded = done.stdout.splitlines()
        assert set(loaded.split()) == {
            f"guard.commands.{name}" for name in ("completion", "root", "global_options")
        }

    def test_bash_itself_completes_by_the_script(self, tmp_path):
        script = guard("completion", "bash").stdout
        (tmp_path / "guard").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m guard.commands "$@"\n')
        (tmp_path / "guard").chmod(0o755)
        asked = 'COMP_WORDS=(guard topics pl); COMP_CWORD=2; _guard_completion guard; echo "${COMPREPLY[@]}"'
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\n{asked}"],
            capture_output=True, text=True, timeout=60, check=True,
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert done.stdout == "plan\n"

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_each_shell_has_its_script(self, shell):
        assert f"_GUARD_COMPLETE={shell}_complete" in guard("completion", shell).stdout

    def test_a_variable_that_is_set_for_nothing_is_told(self):
        done = guard(env=os.environ | {"_GUARD_COMPLETE": "bash_source"})
        assert done.returncode == 2
        assert "unset it" in done.stderr


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["reprot"], "No such command 'reprot'. Did you mean 'report'?"),
            (["topics", "pln"], "Did you mean 'plan'?"),
            (["report", "--jsn"], "'--json'"),
            (["tail", "telemetr"], "is not one of 'telemetry'"),
            (["explain"], "Missing argument 'NODE'"),
        ],
    )
    def test_what_was_meant_is_told(self, arguments, told):
        done = guard(*arguments)
        assert done.returncode == 2
        assert told in done.stderr
        assert "--help' for help." in done.stderr

    @pytest.mark.parametrize(
        "arguments", [("report", "node", "n3"), ("explain", "n3"), ("report", "job", "81724")]
    )
    def test_a_wrong_name_is_answered_with_the_nearest(self, fleet, arguments):
        done = guard("--config", str(fleet), *arguments)
        assert done.returncode == 2
        assert "; did you mean " in done.stderr

    def test_the_nearest_of_a_fleet_are_found_in_time_and_are_harmless(self):
        names = [f"ip-10-{a}-{b}-{c}" for a in range(5) for b in range(50) for c in range(250)]
        assert "ip-10-3-44-25" in nearest("ip-10-3-44-25.ec2.internal", names, 5)
        assert hint("n\x1b[2J1", ["n\x1b[2J2"]) == r"; did you mean n\x1b[2J2?"
        assert hint("zzz", names) == ""
        assert hint("n1", ["n2", "n3"]) == "; did you mean n3 or n2?"

    @pytest.mark.parametrize(
        ("section", "command", "told"),
        [
            ({"bus": "file:/nowhere/bus.sqlite"}, ["report"], "make the directory /nowhere"),
            ({"bus": "nats://x"}, ["actions"], "something like 'file:"),
            ({"bus": "file:/etc/hostname"}, ["actions"], "move the file away to start a new bus"),
            ({}, ["topics", "plan"], "topics are made on Kafka alone; nothing is to do for a file"),
            ({}, ["page", "test"], "put one under page.channels"),
            ({}, ["replay", "/etc/hostname", "--verdicts", "/nowhere/out"], "look at the path"),
            ({}, ["report", "--config", "/nowhere/guard.yaml"], "name another file with --config or GUARD_CONFIG"),
        ],
        ids=lambda given: " ".join(given) if isinstance(given, list) else "",
    )
    def test_an_error_says_of_which_thing_and_what_to_do(self, tmp_path, section, command, told):
        file = tmp_path / "guard.yaml"
        file.write_text(yaml.safe_dump({"bus": f"file:{tmp_path}/bus.sqlite"} | section))
        done = guard(*command, env=os.environ | {"GUARD_CONFIG": str(file)})
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.alone
class TestSpeed:
    """CPU times, the least of several: what else the machine does at this moment is not the command's fault."""

    def seconds(self, *command: str, **environment: str) -> float:
        def once() -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, capture_output=True, timeout=60, check=False, env=os.environ | environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        return min(once() for _ in range(7))

    def test_help_costs_little_more_than_click_itself(self):
        click = self.seconds(sys.executable, "-c", "import click")
        ours = self.seconds(sys.executable, "-m", "guard.commands", "--help")
        print(f"guard --help {ours * 1000:.0f} ms, import click {click * 1000:.0f} ms: {ours / click:.2f} times")
        assert ours < 0.15
        assert ours < 1.7 * click

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_of_a_command_is_quick(self, name):
        assert self.seconds(sys.executable, "-m", "guard.commands", name, "--help") < 0.4

    @pytest.mark.parametrize("line", ["guard re", "guard tail ", "guard report --", "guard detect --"])
    def test_a_shell_is_answered_at_once(self, line):
        given = {"_GUARD_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        assert self.seconds(sys.executable, "-m", "guard.commands", **given) < 0.3
