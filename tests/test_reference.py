"""The reference of commands and configuration is what the code says, and the documentation names what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guard.commands import root
from tests.guard_lines import commands, mistake
from tools.reference import PAGES, RENEW

ROOT = Path(__file__).parents[1]
GUIDES = ("operating", "security", "glossary")
"""Pages whose commands are held against the commands that there are."""
STAND_INS = {
    "NODE": "n1",
    "JOB": "train",
    "INTENT": "0a",
    "CHANNEL": "oncall",
    "ROLE": "agent",
    "NAME": "storm",
    "FILE": "/dev/null",
    "KEY": "guard-node-0",
    "POSITION": "0:17",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_code_says(name):
    kept = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert kept == PAGES[name](), f"docs/reference/{name} is out of date; renew it: {RENEW}"


def test_a_page_is_the_same_on_every_terminal_and_machine():
    program = "from tools.reference import PAGES; print(*(made() for made in PAGES.values()))"
    seen = set()
    for columns, home in (("40", "/"), ("200", "/tmp")):
        given = os.environ | {"COLUMNS": columns, "HOME": home, "NO_COLOR": "1", "GUARD_CONFIG": "/nowhere"}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=given
        )
        seen.add(done.stdout)
    assert len(seen) == 1
    assert str(ROOT) not in seen.pop()


def test_every_command_is_there():
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    for name in root._COMMANDS:
        assert f"\n### guard {name}\n" in text


@pytest.mark.parametrize("guide", GUIDES)
def test_commands_in_the_guides_are_there_and_take_what_they_are_given(guide):
    for line in commands((ROOT / f"docs/{guide}.md").read_text(encoding="utf-8")):
        words = [STAND_INS.get(word, word) for word in line.split(" ")]
        if len(words) > 2 or words[1] not in root._COMMANDS:  # a command's name alone stands for itself
            assert mistake(" ".join(words)) is None


@pytest.mark.parametrize("guide", GUIDES)
def test_links_of_the_guides_lead_somewhere(guide):
    text = (ROOT / f"docs/{guide}.md").read_text(encoding="utf-8")
    for target, _, place in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text)):
        if "://" in target:
            continue
        file = ROOT / "docs" / (target or f"{guide}.md")
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not place or place in anchors, f"{target}#{place}"
