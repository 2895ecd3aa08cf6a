"""Sending a canvas piece by piece: chords are frozen at the start, edges go out as items settle.

This file is all that leans on Celery's inner workings: a chord whose size is planted beforehand and whose
parts are published one by one (``set_chord_size``, and the options ``group_id`` and ``chord`` of a part), and a chain
that is sent without being built (the option ``chain``).
A test fails when a new Celery changes that.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, cast

from celery import Celery, Signature

from tinytown import contract
from tinytown.canvases.canvas import Canvas


def freeze(app: Celery, canvas: Canvas) -> None:
    """Give every chord its size, before the first edge is sent."""
    for group_id, size in canvas.chords().items():
        cast(Any, app.backend).set_chord_size(group_id, size)


def begin(app: Celery, canvas: Canvas) -> None:
    """Start every item that waits for nothing: whichever is started takes the others with it."""
    _start(app, canvas, canvas.roots()[0]).apply_async(ignore_result=True)


def settle(app: Celery, canvas: Canvas, key: str) -> None:
    """Send what a settled item leads to; sending it twice does no harm."""
    for target in canvas.targets(key):
        sources = canvas.sources[target]
        if len(sources) > 1 and not canvas.is_counted(target):
            _start(app, canvas, target).apply_async(ignore_result=True)
            continue
        if len(sources) == 1:
            # What `chain(edge, body)` sends, without building one first.
            body = _start(app, canvas, target)
            _edge(app, canvas, key, target).apply_async(chain=[body], ignore_result=True)
        else:
            tell_join(app, canvas, key, target)


def tell_join(app: Celery, canvas: Canvas, key: str, target: str) -> None:
    """Send the edge from a settled item to one that a chord counts for; sending it twice does no harm."""
    _edge(app, canvas, key, target).apply_async(
        # The same id each time, so that a repeated edge counts once.
        task_id=canvas.part_id(key, target),
        group_id=canvas.group_id(target),
        group_index=bisect_left(canvas.sources[target], key),
        chord=_start(app, canvas, target),
        ignore_result=True,
    )


def _edge(app: Celery, canvas: Canvas, key: str, target: str) -> Signature[Any]:
    args = (canvas.mission, key, target)
    return _signature(app, contract.TASK_EDGE, args, f"mission {canvas.mission[:8]}, {key} -> {target}")


def _start(app: Celery, canvas: Canvas, key: str) -> Signature[Any]:
    return _signature(app, contract.TASK_START, (canvas.mission, key), f"mission {canvas.mission[:8]}, {key}")


def _signature(app: Celery, name: str, args: tuple[str, ...], shown: str) -> Signature[Any]:
    # Immutable: a join hands its parts' results to its body, and nobody wants them.
    return app.signature(name, args=args, immutable=True, queue=contract.QUEUE_CONTROL, argsrepr=f"({shown})")
