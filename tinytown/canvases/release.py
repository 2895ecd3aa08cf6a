"""Sending a canvas piece by piece: joins are frozen at the start, edges go out as items settle.

This file is all that leans on Celery's inner workings: a chord whose size is planted beforehand and whose
parts are published one by one (``set_chord_size``, and the options ``group_id`` and ``chord`` of a part), and a chain
that is sent without being built (the option ``chain``).
A test fails when a new Celery changes that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container
from typing import Any, cast

from celery import Celery, Signature

from tinytown import contract
from tinytown.canvases.canvas import END, Canvas


def freeze(app: Celery, canvas: Canvas) -> None:
    """Give every join its size, before the first edge is sent."""
    backend = cast(Any, app.backend)
    for group_id, size in canvas.joins().items():
        backend.set_chord_size(group_id, size)


def begin(app: Celery, canvas: Canvas) -> None:
    """Start every item that waits for nothing."""
    for key in canvas.roots():
        _target(app, canvas, key).apply_async(ignore_result=True)
    if not canvas.sources[END]:
        _target(app, canvas, END).apply_async(ignore_result=True)


def settle(app: Celery, canvas: Canvas, key: str, *, started: Container[str] = ()) -> None:
    """Send the outgoing edges of a settled item; sending them twice does no harm.

    Those of ``started`` are so already: a chain to one of them would find nothing to do, and is not sent. Edges to a
    join are, because others count on them.
    """
    for target in canvas.targets(key):
        if target in started and len(canvas.sources[target]) == 1:
            continue
        edge = _signature(
            app,
            contract.TASK_EDGE,
            (canvas.mission, key, target),
            f"mission {canvas.mission[:8]}, {key} -> {target or 'end'}",
        )
        body = _target(app, canvas, target)
        sources = canvas.sources[target]
        if len(sources) == 1:
            # What `chain(edge, body)` sends, without building one first.
            edge.apply_async(chain=[body], ignore_result=True)
        else:
            # The same id each time, so that a repeated edge counts once.
            edge.apply_async(
                task_id=f"{canvas.mission}/edge/{key}/{target or 'end'}",
                group_id=canvas.group_id(target),
                group_index=bisect_left(sources, key),
                chord=body,
                ignore_result=True,
            )


def _target(app: Celery, canvas: Canvas, key: str) -> Signature[Any]:
    if key == END:
        return _signature(app, contract.TASK_FINISH, (canvas.mission,), f"mission {canvas.mission[:8]}, finish")
    return _signature(app, contract.TASK_START, (canvas.mission, key), f"mission {canvas.mission[:8]}, {key}")


def _signature(app: Celery, name: str, args: tuple[str, ...], shown: str) -> Signature[Any]:
    # Immutable: a join hands its parts' results to its body, and nobody wants them.
    return app.signature(name, args=args, immutable=True, queue=contract.QUEUE_CONTROL, argsrepr=f"({shown})")
