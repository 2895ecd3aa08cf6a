"""What OpenTelemetry is sent about a mission, by every process that has a part in it, over real HTTP."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown import tracing


@dataclass
class Collector:
    """Takes spans as a collector of OpenTelemetry does."""

    spans: list[tuple[str, Any]] = field(default_factory=list)

    def of(self, trace: str) -> list[tuple[str, Any]]:
        """The spans of a trace, each with the process that sent it."""
        return [(process, span) for process, span in list(self.spans) if span.trace_id.hex() == trace]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                process = next(a.value.string_value for a in one.resource.attributes if a.key == "tinytown.process")
                found.spans += [(process, span) for scope in one.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20not-for-agents")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield found
        server.shutdown()
        thread.join()


def test_an_items_whole_path_is_one_trace(project: Project, collector: Collector) -> None:
    """From when it could begin to when it settled, through the processes of agents and checks."""
    project.found({1: "# One\n", 2: "# Two\n\nDepends on #1\n"}, checks=["true"])
    project.spawn("worker")
    mission = project.start(1, 2, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    first, second = (_proven(collector, mission, item) for item in project.status(mission)["items"])
    assert first.end_time_unix_nano <= second.start_time_unix_nano, "the dependent could begin once this had settled"
    assert [one["status"] for one in project.json("doctor") if one["name"] == "traces"] == ["ok"]


def _proven(collector: Collector, mission: str, item: dict[str, Any]) -> Any:
    """Look at the trace of an item; gives its first span."""
    trace, first = tracing.ids(mission, item["key"])
    title = f"Issue #{item['number']}"
    wanted = {title, "work, attempt 1", "check, attempt 2", "merge, attempt 3"}
    wait_until(
        lambda: wanted <= {span.name for _, span in collector.of(trace)},
        timeout=30,
        description="all spans of the item have been sent",
    )
    spans = {span.span_id.hex(): span for _, span in collector.of(trace)}
    assert len(spans) == len(collector.of(trace)), "none twice"
    senders, by_name = defaultdict(set), {}
    for process, span in collector.of(trace):
        senders[span.name].add(process)
        by_name[span.name] = span
        assert span.parent_span_id.hex() in spans or span.span_id.hex() == first
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        assert "not-for-agents" not in str(span)
    root, work = by_name[title], by_name["work, attempt 1"]
    assert (root.span_id.hex(), root.parent_span_id) == (first, b"")
    assert {one.key: one.value.string_value for one in root.attributes}["tinytown.state"] == "done"
    assert (senders["work, attempt 1"], senders["check, attempt 2"]) == ({"role-worker"}, {"checks"})
    inside = [span for span in spans.values() if span.parent_span_id == work.span_id]
    assert {"wait for a worker", "prepare a clone", "collect", "report"} <= {span.name for span in inside}
    assert all(work.start_time_unix_nano <= span.start_time_unix_nano for span in inside)
    assert all(span.end_time_unix_nano <= work.end_time_unix_nano for span in inside)
    return root
