"""The dashboard for Grafana: its panels stand where they can be seen, and ask for what there is."""

import json
import re
import subprocess

import pytest

from tests.metrics_document import ROOT
from tests.promql import rules, unknown, write_as_rules

DASHBOARD = json.loads((ROOT / "deploy/grafana/guard.json").read_text())
PANELS = DASHBOARD["panels"]
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
ROWS = ("Fleet", "Acting", "Detection", "Agents", "Pager")


def expressions() -> list[str]:
    """Every query, with the variables as Grafana fills them in."""
    asked = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
    asked += [one["expr"] for one in DASHBOARD["annotations"]["list"]]
    return [one.replace("$cluster", ".*") for one in asked]


def test_its_schema_is_of_grafana_10_and_nothing_of_one_installation_is_in_it():
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"]
    assert "id" not in DASHBOARD, "which the importing Grafana gives"
    assert not re.search(r"https?://", json.dumps(DASHBOARD))


def test_panels_have_ids_of_their_own():
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))


def test_panels_do_not_overlap_and_fit_the_grid():
    taken = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        squares = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }  # fmt: skip
        assert not squares & taken, panel["title"]
        taken |= squares


def test_it_has_its_rows_in_order_and_none_is_empty():
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == list(ROWS)
    for before, after in zip(PANELS, [*PANELS[1:], {"type": "row"}], strict=True):
        assert (before["type"], after["type"]) != ("row", "row")


@pytest.mark.parametrize("panel", [one for one in PANELS if one["type"] != "row"], ids=lambda one: one["title"])
def test_a_panel_says_what_it_shows_and_asks_the_chosen_source_about_the_chosen_clusters(panel):
    assert panel["title"]
    assert len(panel["description"]) > 8
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    for asking in (panel, *panel["targets"]):
        assert asking["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for target in panel["targets"]:
        assert 'cluster=~"$cluster"' in target["expr"]


def test_the_variables_are_the_source_and_the_cluster_and_all_includes_targets_without_that_label():
    assert VARIABLES.keys() == {"datasource", "cluster"}
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert VARIABLES["cluster"]["includeAll"]
    assert re.fullmatch(VARIABLES["cluster"]["allValue"], "")


def test_it_asks_for_what_is_documented():
    assert not list(unknown(expressions()))


def test_every_recorded_series_is_asked_for_by_a_panel_or_a_rule():
    asked = " ".join([*expressions(), *(rule["expr"] for rule in rules())])
    for rule in rules():
        assert rule.get("record", "guard:nodes:sum") in asked


@pytest.mark.needs("promtool")
def test_promtool_can_read_every_query(tmp_path):
    write_as_rules(expressions(), tmp_path / "queries.yml")
    done = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "queries.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(expressions())} rules found" in done.stdout
