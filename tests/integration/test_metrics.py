"""The town in numbers: what they say of what is, what they count of what was, and how Prometheus gets them."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.saved_town import running
from tests.story.arranged import ATown
from tests.waiting import wait_until
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts
from tinytown.engine.views import metrics
from tinytown.host.server import Server
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome
from tinytown.settings import parse
from tinytown.state import duties
from tinytown.town import Town
from tinytown_workers.serve import metrics as endpoint

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def arranged(server: Server) -> Iterator[ATown]:
    made = ATown(server.url, max_parallel_items=3, reviewer_required=False)
    yield made
    made.close()


def read(text: str) -> Numbers:
    """As Prometheus reads it."""
    return {
        (one.name.removeprefix("tinytown_"), frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def of(found: Numbers, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_numbers_follow_the_work(arranged: ATown) -> None:
    """Ready, claimed and ended are counted once, by role; agents are wanted where they would have work."""
    history = metrics.Counted()

    def look() -> Numbers:
        return read(metrics.text(list(metrics.families(arranged.context, history))))

    mission = arranged.begin(waits={1: (), 2: (), 3: (), 4: (), 5: (1,)})
    found = look()
    assert of(found, "missions", state="running") == 1
    assert of(found, "items", state="pending") == 1
    assert of(found, "ready_unclaimed", role="worker") == 3, "no more than may run at once"
    assert of(found, "wanted_workers", role="worker") == 3
    assert of(found, "running", role="worker") == 0

    claimed = arranged.claim(1, "ada")
    assert claimed is not None
    found = look()
    assert of(found, "running", role="worker") == 1
    assert of(found, "wanted_workers", role="worker") == 3
    assert of(found, "hand_off_seconds_count") == 1
    assert of(found, "pickup_seconds_count", purpose="work") == 1

    assert attempts.report(arranged.context, claimed, Report(outcome=Outcome.FAILED, summary="no"))
    assert of(look(), "attempts_total", purpose="work", outcome="failed") == 1
    found = look()
    assert of(found, "attempts_total", purpose="work", outcome="failed") == 1, "a second look counts nothing again"
    assert of(found, "attempt_seconds_count", purpose="work") == 1
    assert of(found, "mission_cost_usd", mission=mission.short) == 0

    again = read(metrics.text(_families(arranged)))
    assert {name: value for name, value in again.items() if name[0].endswith(("_total", "_count"))} == {
        name: value for name, value in found.items() if name[0].endswith(("_total", "_count"))
    }, "whoever counts anew counts the same"


def test_a_role_of_the_settings_is_told_of_when_nobody_wants_it(arranged: ATown) -> None:
    """Whoever scales by the number of wanted workers must see it become 0, and not vanish."""
    context = arranged.context
    settings = parse({"roles": {"tester": {}}}, source="a test")
    named = Context(replace(context.town, settings=settings), context.url)
    found = read(metrics.text(list(metrics.families(named, metrics.Counted()))))
    assert of(found, "wanted_workers", role="tester") == 0
    assert of(found, "ready_unclaimed", role="tester") == 0


def test_prometheus_is_answered_while_the_town_is_ready(town: Town) -> None:
    context = running(town)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listening = parse({"metrics": {"listen": f"127.0.0.1:{port}"}, "timing": {"tick_secs": 60}}, source="a test")
    endpoint.offer(Context(replace(context.town, settings=listening), context.url))

    def get(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    wait_until(lambda: get("/live") == (200, "alive\n"), timeout=10, description="it answers")
    assert get("/ready")[0] == 503, "its clock has not ticked yet"
    with duties.running(context.store, "dispatch"):
        pass
    assert get("/ready") == (200, "ready\n")
    status, text = get("/metrics")
    assert status == 200
    assert of(read(text), "duty_seconds", duty="dispatch") >= 0
    assert get("/secrets")[0] == 404


def test_page_and_dashboard_name_what_there_is(arranged: ATown) -> None:
    found = {f"{one.name}_total" if one.type == "counter" else one.name for one in _families(arranged)}
    root = Path(__file__).parents[2]
    page = (root / "docs/how-to/watch-with-prometheus.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(tinytown_\w+)`", page, re.MULTILINE)) == found
    dashboard = json.loads((root / "docker/grafana/tinytown.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert {name.removesuffix("_bucket") for one in asked for name in re.findall(r"tinytown_\w+", one)} <= found


def _families(town: ATown) -> list[Metric]:
    return list(metrics.families(town.context, metrics.Counted()))
