"""Loading Celery and redis-py without what no process of a town uses; call it before anything else imports them."""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

#: What is loaded, and what counts as not installed while that is done. Where it is, redis-py loads OpenTelemetry's
#: metrics, 3 MB in each process, for counters of its own that only an application can turn on; and Kombu loads YAML,
#: 1 MB, for messages that no queue of a town accepts. Who needs them, traces for one, loads them later.
_WITHOUT = {"redis": "opentelemetry", "kombu.serialization": "yaml"}


def load() -> None:
    """Load them; harmless when repeated, or when they are there already."""
    for module, missing in _WITHOUT.items():
        if module in sys.modules or missing in sys.modules:
            continue
        # ``None`` is Python's mark for a module that shall count as missing.
        cast(dict[str, Any], sys.modules)[missing] = None
        try:
            importlib.import_module(module)
        finally:
            del sys.modules[missing]
