"""Loading redis-py without what nobody here uses; to be called before anything else imports it."""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast


def load() -> None:
    """Load redis-py as if OpenTelemetry were not installed.

    Where it is, redis-py loads its metrics at once, 3 MB in each process, for counters of its own that only an
    application can turn on; the town's never does. Traces are not touched: they load the library when they begin.
    """
    if "redis" in sys.modules or "opentelemetry" in sys.modules:
        return
    # ``None`` is Python's mark for a module that shall count as missing.
    cast(dict[str, Any], sys.modules)["opentelemetry"] = None
    try:
        importlib.import_module("redis")
    finally:
        del sys.modules["opentelemetry"]
