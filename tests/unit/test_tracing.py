"""When spans are sent, and where to, as the standard variables say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tests.waiting import patience
from tinytown import tracing

OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (OTLP, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        (OTLP | {"OTEL_TRACES_EXPORTER": "None"}, False),
        (OTLP | {"OTEL_SDK_DISABLED": "True"}, False),
    ],
)
def test_the_environment_says_whether_spans_are_sent(environ: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(environ) is wanted
    assert tracing.missing(environ) is None


def test_what_lacks_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing.missing({"OTEL_TRACES_EXPORTER": "fancy"}) == (
        "no traces are sent: OpenTelemetry has no exporter `fancy` here",
        "install its package, or set `OTEL_TRACES_EXPORTER=otlp`",
    )
    grpc = tracing.missing(OTLP | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert grpc is not None
    assert "`otlp_proto_grpc`" in grpc[0]
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    absent = tracing.missing(OTLP)
    assert absent is not None
    assert "not installed" in absent[0]


class Kept(SpanExporter):
    """Keeps what it is to send."""

    def __init__(self, found: list[ReadableSpan]) -> None:
        self._found = found

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._found.extend(spans)
        return SpanExportResult.SUCCESS


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ReadableSpan]]:
    """What this process sends, once it is flushed."""
    found: list[ReadableSpan] = []
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setattr(tracing, "_exporters", lambda _: [lambda: Kept(found)])
    for name, value in (("_begun", False), ("_tracer", None), ("_provider", None)):
        monkeypatch.setattr(tracing, name, value)
    yield found
    if tracing._provider is not None:
        tracing._provider.shutdown()


def flush() -> None:
    assert tracing._provider is not None
    tracing._provider.force_flush()


def test_times_are_the_servers_whatever_the_hosts_clock_says(sent: list[ReadableSpan]) -> None:
    """Here that is decades ahead."""
    tracing.begin("role-worker")
    with tracing.attempt("m", "k#1", "work", sent_at=5_000.0, claimed_at=5_002.0), tracing.step("collect"):
        tracing.note(files=3)
    flush()
    assert [one.name for one in sent] == ["wait for a worker", "collect", "work"]
    waited, step, work = sent
    assert (waited.start_time, waited.end_time) == (5_000 * 10**9, 5_002 * 10**9)
    assert step.start_time is not None
    assert 5_002 * 10**9 <= step.start_time < 5_100 * 10**9
    assert dict(step.attributes or {}) == {"tinytown.files": 3}
    assert work.start_time == 5_000 * 10**9


@pytest.mark.parametrize(("ratio", "least", "most"), [("0.0", 0, 0), ("0.5", 10, 50), ("1.0", 60, 60)])
def test_all_processes_leave_out_the_same_traces(
    sent: list[ReadableSpan], monkeypatch: pytest.MonkeyPatch, ratio: str, least: int, most: int
) -> None:
    """Where only a share of the traces is wanted, an item is told whole or not at all."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    tracing.begin("role-worker")
    for number in range(60):
        with tracing.attempt("m", f"k#{number}", "work", sent_at=1.0, claimed_at=2.0):
            pass
        tracing.settled("m", f"k#{number}", "Issue", since=1.0, until=3.0)
    flush()
    names: dict[int, set[str]] = {}
    for span in sent:
        assert span.context is not None
        names.setdefault(span.context.trace_id, set()).add(span.name)
    assert all(found == {"work", "wait for a worker", "Issue"} for found in names.values())
    assert least <= len(names) <= most


def test_outside_of_an_attempt_nothing_is_a_step(sent: list[ReadableSpan]) -> None:
    tracing.begin("role-worker")
    with tracing.step("collect"):
        tracing.note(files=1)
    flush()
    assert sent == []


def test_a_receiver_that_is_away_keeps_nobody_from_ending() -> None:
    """Nor does it put a word between those of a command."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        code = "from tinytown import tracing; tracing.settled('m', 'k', 'Issue', since=1.0, until=2.0)"
        env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert time.monotonic() - begun < patience(5)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_cannot_be_sent_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "fancy")
    for name, value in (("_begun", False), ("_tracer", None)):
        monkeypatch.setattr(tracing, name, value)
    tracing.begin("role-worker")
    with tracing.attempt("m", "k", "work", sent_at=1.0, claimed_at=2.0), tracing.step("collect"):
        tracing.settled("m", "k", "Issue", since=1.0, until=2.0)
