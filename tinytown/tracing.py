"""Traces in OpenTelemetry: one an item, from the moment it could begin to the moment it settles.

Off unless the standard variables say where spans go (``OTEL_TRACES_EXPORTER``, ``OTEL_EXPORTER_OTLP_ENDPOINT``, …); the
library reads them, and the rest of ``OTEL_*``, itself. It comes with the extra ``tinytown[otel]``.

An item is worked on by many processes, some of which die, and what carries it from one to the next may be lost or come
twice. So nothing is carried: the ids of its trace and of its first span follow from mission and item, and every process
derives them. The first span is sent by whoever settles the item, the others as they end.

All times are the server's clock: hosts' clocks may differ by minutes.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = logging.getLogger(__name__)

#: Variables that say where spans go; each of them turns tracing on.
_WHERE: Final = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
#: Where the exporters of the library, and those of others, are found.
_EXPORTERS: Final = "opentelemetry_traces_exporter"
#: What `otlp` means by protocol.
_PROTOCOLS: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
#: Seconds that a process which ends may take to send its last spans.
_FLUSH_SECS: Final = 1.0

Value = str | int | float | bool

_tracer: Tracer | None = None
_provider: TracerProvider | None = None
#: Whether this process has looked at its environment.
_begun = False
#: The trace's and the first span's ids, for the span that is begun with them.
_ids: ContextVar[tuple[int, int] | None] = ContextVar("ids", default=None)
#: Seconds by which the server's clock is ahead of this machine's; ``None`` outside of an attempt.
_ahead: ContextVar[float | None] = ContextVar("ahead", default=None)


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment says where spans go."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environ.get(name, "").strip() for name in _WHERE)


def missing(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Why no spans can be sent though they are wanted, and the remedy; ``None`` if neither is so."""
    if not wanted(environ):
        return None
    try:
        _exporters(environ)
    except ImportError as error:
        return f"no traces are sent: {error}", "run `pip install 'tinytown[otel]'`, then `tt stop` and `tt start`"
    except LookupError as error:
        return f"no traces are sent: {error}", "install its package, or set `OTEL_TRACES_EXPORTER=otlp`"
    return None


def begin(service: str) -> None:
    """Send spans from now on, as this service, if the environment says where to.

    A process goes on without where that cannot be.
    """
    global _tracer, _provider, _begun  # noqa: PLW0603 - as the library's own: one a process
    if _begun:
        return
    _begun = True
    if not wanted(os.environ):
        return
    try:
        _provider = _make_provider(service)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the work goes on
        log.warning("no traces are sent: %s", error)
        return
    _tracer = _provider.get_tracer("tinytown")
    # Where nothing is logged, nothing of the library's shall stand between the lines of a command.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    atexit.register(_end, _provider)


def _end(provider: TracerProvider) -> None:
    global _tracer  # noqa: PLW0603
    _tracer = None
    # The library's own limit does not hold where the receiver is away.
    flush = threading.Thread(target=provider.force_flush, name="last spans", daemon=True)
    flush.start()
    flush.join(_FLUSH_SECS)


@contextlib.contextmanager
def attempt(mission: str, item: str, name: str, *, claimed_at: float, sent_at: float, **about: Value) -> Iterator[None]:
    """The span of an attempt at an item, around what carries it out; it begins when the attempt was sent.

    ``sent_at`` and ``claimed_at`` are by the server's clock, as all times on record.
    """
    if _tracer is None:
        yield
        return
    ahead = _ahead.set(claimed_at - time.time())
    try:
        with _span(name, {"mission": mission, "item": item, **about}, above=_above(mission, item), since=sent_at):
            _past("wait for a worker", sent_at, claimed_at)
            yield
    finally:
        _ahead.reset(ahead)


@contextlib.contextmanager
def step(name: str, **about: Value) -> Iterator[None]:
    """The span of a step of the attempt that this thread carries out; nothing outside of one."""
    if _tracer is None or _ahead.get() is None:
        yield
        return
    with _span(name, about):
        yield


def note(**about: Value) -> None:
    """Say something about the step that this thread is in."""
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes(_named(about))


def settled(
    mission: str, item: str, name: str, *, since: float, until: float, failed: str = "", **about: Value
) -> None:
    """Send the first span of an item, which is over; times by the server's clock. ``failed``: why, if it has."""
    # A person's command settles items, too.
    begin("tt")
    if _tracer is None:
        return
    from opentelemetry import trace

    with contextlib.suppress(Exception):
        token = _ids.set(_ids_of(mission, item))
        try:
            span = _tracer.start_span(
                name, trace.set_span_in_context(trace.INVALID_SPAN), start_time=_nanos(since),
                attributes=_named({"mission": mission, "item": item, **about}),
            )  # fmt: skip
        finally:
            _ids.reset(token)
        if failed:
            span.set_status(trace.StatusCode.ERROR, failed)
        span.end(_nanos(until))


def ids(mission: str, item: str) -> tuple[str, str]:
    """The trace of an item and its first span, as other programs write them."""
    trace_id, span_id = _ids_of(mission, item)
    return f"{trace_id:032x}", f"{span_id:016x}"


# -- inside ----------------------------------------------------------------------------------------


def _ids_of(mission: str, item: str) -> tuple[int, int]:
    found = hashlib.sha256(f"{mission} {item}".encode()).digest()
    # Neither may be zero.
    return int.from_bytes(found[:16], "big") or 1, int.from_bytes(found[16:24], "big") or 1


def _above(mission: str, item: str) -> Any:
    """The context in which the first span of the item is the one above."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace.sampling import Decision

    trace_id, span_id = _ids_of(mission, item)
    sampler = getattr(_tracer, "sampler", None)
    # Whoever sends the first span decides alike, as they all go by the id of the trace.
    sampled = sampler is None or sampler.should_sample(None, trace_id, "").decision is Decision.RECORD_AND_SAMPLE
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    above = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(above))


@contextlib.contextmanager
def _span(name: str, about: Mapping[str, Value], *, above: Any = None, since: float | None = None) -> Iterator[Span]:
    from opentelemetry import trace

    assert _tracer is not None
    start = _nanos(since) if since is not None else _now()
    span = _tracer.start_span(name, above, start_time=start, attributes=_named(about))
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=True):
            yield span
    finally:
        span.end(_now())


def _past(name: str, since: float, until: float) -> None:
    assert _tracer is not None
    _tracer.start_span(name, start_time=_nanos(since)).end(_nanos(until))


def _now() -> int:
    return _nanos(time.time() + (_ahead.get() or 0.0))


def _nanos(at: float) -> int:
    return round(at * 1e9)


def _named(about: Mapping[str, Value]) -> dict[str, Value]:
    return {f"tinytown.{name}": value for name, value in about.items()}


def _exporters(environ: Mapping[str, str]) -> list[Any]:
    """The classes of the exporters that are wanted.

    Raises:
        ImportError: the library is not installed.
        LookupError: there is none of this name.
    """
    try:
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        raise ImportError("OpenTelemetry is not installed") from None
    told = (environ.get(f"OTEL_EXPORTER_OTLP_{which}PROTOCOL", "").strip() for which in ("TRACES_", ""))
    protocol = next(filter(None, told), "http/protobuf")
    found = []
    for word in (environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp").split(","):
        name = _PROTOCOLS.get(protocol, protocol) if word.strip() == "otlp" else word.strip()
        entries = list(metadata.entry_points(group=_EXPORTERS, name=name))
        if not entries:
            raise LookupError(f"OpenTelemetry has no exporter `{name}` here")
        found.append(entries[0].load())
    return found


def _make_provider(service: str) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random ones, but for the first span of an item."""

        def generate_trace_id(self) -> int:
            given = _ids.get()
            return given[0] if given else super().generate_trace_id()

        def generate_span_id(self) -> int:
            given = _ids.get()
            return given[1] if given else super().generate_span_id()

    name = os.environ.get("OTEL_SERVICE_NAME", "").strip() or "tinytown"
    about = {SERVICE_NAME: name, "service.instance.id": f"{service}-{os.getpid()}", "tinytown.process": service}
    provider = TracerProvider(resource=Resource.create(about), id_generator=Ids(), shutdown_on_exit=False)
    for exporter in _exporters(os.environ):
        provider.add_span_processor(BatchSpanProcessor(exporter()))
    return provider
