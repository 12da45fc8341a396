"""Runbooks: one for everything that can wake somebody, short, of one form, and with commands that there are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from guard.commands.root import guard
from guard.commands.runbook import names, titles
from remediation.alerts.notice import About
from tests.guard_lines import commands, mistake

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "guard/runbooks"
RULES = ROOT / "deploy/prometheus/guard.rules.yml"
RUNBOOKS = sorted(path.stem for path in FOLDER.glob("*.md"))
PARTS = ("**It means**", "**How urgent.**", "## Look", "## Decide", "## Act", "## It ends by itself", "## Do not")
STAND_INS = {"NODE": "n1", "JOB": "train", "INTENT": "0a", "CHANNEL": "oncall", "ROLE": "agent"}


def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(guard, ["runbook", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def alert_words() -> set[str]:
    """What the remediator's alerts are about, as its code says."""
    code = "\n".join(path.read_text() for path in (ROOT / "remediation").glob("*.py"))
    return set(re.findall(r"\.alert\(\s*\"([a-z-]+)\"", code))


def rules() -> list[dict]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_everything_that_a_page_is_about_has_a_runbook():
    assert {about.value for about in About} - {"test"} <= set(RUNBOOKS)


def test_every_alert_of_the_ledger_has_a_runbook():
    assert {"held", "proposed", "blind"} <= alert_words() <= set(RUNBOOKS)


@pytest.mark.skipif(not RULES.exists(), reason="no rules for Prometheus here")
def test_every_alert_of_prometheus_names_a_runbook_that_knows_it():
    known = names()
    assert rules()
    for rule in rules():
        alert, told = rule["alert"], rule["annotations"]
        assert told["runbook"] == f"guard runbook {known.get(alert)}", alert
        assert told["runbook_url"] == f"RUNBOOKS/{known[alert]}.md", alert
        assert shown(alert) == shown(known[alert])
    assert set(known) - set(RUNBOOKS) == {rule["alert"] for rule in rules()} | {
        rule["alert"].lower() for rule in rules()
    }


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_is_short_and_has_its_parts_in_their_order(name):
    lines = text(name).splitlines()
    assert lines[0].startswith(f"# {name}: ")
    assert len(lines) <= 60
    places = [text(name).find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", RUNBOOKS)
def test_every_command_in_a_runbook_is_there_and_takes_what_it_is_given(name):
    found = list(commands(text(name)))
    for line in found:
        assert mistake(" ".join(STAND_INS.get(word, word) for word in line.split(" "))) is None
    for link in (line for line in found if line.startswith("guard runbook ")):
        assert link.split()[2] in RUNBOOKS


def test_wrong_commands_would_be_found():
    assert mistake("guard explain n1 --at 2h") is None
    for line in (
        "guard expain n1",
        "guard explain n1 --when 2h",
        "guard topics pln",
        "guard hold",
        "guard report x",
    ):
        assert mistake(line) is not None, line
    assert list(
        commands("Try `guard pause --for 2h`.\n\n    $ guard hold n1  # mine\n    guard tail ledger\n")
    ) == [
        "guard pause --for 2h",
        "guard hold n1",
        "guard tail ledger",
    ]


def test_without_a_name_all_are_listed_with_what_they_are_for():
    listed = dict(line.split(maxsplit=1) for line in shown().splitlines())
    assert listed == titles()
    assert set(listed) == set(RUNBOOKS)


def test_on_a_pipe_a_runbook_is_the_file_as_it_is():
    assert shown("storm") == text("storm")


def test_a_wrong_name_is_answered_with_the_nearest():
    result = CliRunner().invoke(guard, ["runbook", "stragler"])
    assert result.exit_code == 2
    assert "did you mean 'straggler'?" in result.output
    assert "guard runbook lists them" in CliRunner().invoke(guard, ["runbook", "zzz"]).output


def test_runbooks_need_no_extra():
    blocked = ["rich", "numpy", "pandas", "jinja2", "matplotlib", "httpx", "kafka", "msgspec", "yaml"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        "from guard.commands.root import run; sys.exit(run(['runbook', 'halted']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=os.environ
    )
    assert (done.returncode, done.stdout) == (0, text("halted")), done.stderr
