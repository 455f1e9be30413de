"""The Grafana dashboard: every panel can be read by somebody who sees it for the first time, on any data source."""

import json
from typing import Any

import pytest
import yaml

from tests.monitoring import shipped
from tests.monitoring.shipped import FOLDER

pytestmark = pytest.mark.once

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_COLUMNS = 24
# What the person on call looks at first, before any scrolling.
FIRST_LOOK = ["Processes up", "Database", "Redis", "Open streams", "Failed requests", "Events late", "Alerts"]


@pytest.mark.parametrize("panel", shipped.panels(), ids=lambda panel: panel["title"])
def test_a_panel_has_title_description_unit_and_queries(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_data_source_is_a_variable_everywhere() -> None:
    board = shipped.dashboard()
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    places = [panel["datasource"] for panel in shipped.panels()]
    places += [target["datasource"] for panel in shipped.panels() for target in panel["targets"]]
    places += [variable["datasource"] for variable in variables.values() if "datasource" in variable]
    assert [place for place in places if place != SOURCE] == []


def test_panels_have_titles_and_places_of_their_own() -> None:
    titles = [panel["title"] for panel in shipped.panels()]
    assert len(titles) == len(set(titles))
    taken: set[tuple[int, int]] = set()
    for panel in shipped.dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= GRID_COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_what_is_looked_at_first_stands_first() -> None:
    assert [panel["title"] for panel in shipped.panels()][: len(FIRST_LOOK)] == FIRST_LOOK


def test_one_process_of_many_that_is_down_is_red() -> None:
    panel = next(panel for panel in shipped.panels() if panel["title"] == "Processes up")
    down = next(target for target in panel["targets"] if target["legendFormat"] == "down")
    assert down["expr"] == 'sum(1 - up{job="$job"})'
    assert {"color": "red", "value": 1} in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]


def test_every_query_is_of_the_chosen_job() -> None:
    expressions = [target["expr"] for panel in shipped.panels() for target in panel["targets"]]
    assert [expression for expression in expressions if 'job="$job"' not in expression] == []


def test_grafana_finds_the_dashboard_and_its_data_source() -> None:
    board = json.loads(shipped.DASHBOARD.read_text())
    assert board["uid"] == "vx11-operator"
    places = FOLDER / "grafana" / "provisioning"
    [provider] = yaml.safe_load((places / "dashboards" / "vx11-operator.yml").read_text())["providers"]
    [source] = yaml.safe_load((places / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (provider["type"], source["type"]) == ("file", "prometheus")
    compose = (FOLDER.parent / "compose.yaml").read_text()
    assert f":{provider['options']['path']}:ro" in compose
