"""``guard bench`` as it is called: mistakes are one line, results are files and tables."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from detectors.policy import Policy
from guard.commands.bench import command

SESSION = SimpleNamespace(config=SimpleNamespace(detect=Policy()))


def bench(*arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments], obj=SESSION)


def test_a_small_run_leaves_tables_files_and_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- detection: begin -->\n<!-- detection: end -->\n")
    chosen = (
        "--suite",
        "severe",
        "--cases",
        1,
        "--calibration",
        1,
        "--detectors",
        "dlrover",
        "--detectors",
        "ours",
    )
    done = bench("detection", *chosen, "--no-ablations", "--jobs", 1, "--out", tmp_path, "--page", page, "--json")
    assert done.exit_code == 0, done.output
    (severe,) = json.loads(done.stdout)["scores"].values()
    assert [score["detector"] for score in severe] == ["ours", "dlrover published", "dlrover tuned"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".png", ".ndjson", ".json"}
    assert "| dlrover published |" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--suite", "nothing"), "no suite is called nothing; there are healthy"),
        (("--detectors", "nobody"), "no detector is called nobody; there are ours"),
        (("--page", "/dev/null"), "put them where the results belong"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(tmp_path, arguments, told):
    done = bench("detection", *arguments, "--out", tmp_path)
    assert done.exit_code == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_of_healthy_fleets_is_told_without_a_run(tmp_path):
    done = bench("healthy", "--days", 0, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout == "no shards are kept yet\n"
