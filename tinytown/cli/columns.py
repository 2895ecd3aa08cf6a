"""Lists with a header: columns that line up, whatever letters are in them, cut to the terminal where there is one."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence

import click


def show(header: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None = None) -> None:
    """Print a list; the last column takes what room is left in a terminal, and all that it needs elsewhere."""
    if width is None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    for line in lined_up([tuple(header), *(tuple(row) for row in rows)], width=width):
        click.echo(line)


def lined_up(rows: Sequence[Sequence[str]], *, width: int | None) -> list[str]:
    """The rows as lines of at most ``width`` cells, if that is given."""
    # An agent's `tt` shows no columns, and would wait for the import.
    from rich.cells import cell_len, set_cell_size

    if not rows:
        return []
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [set_cell_size(cell, size) for cell, size in zip(row, widths, strict=False)]
        lines.append(cut("  ".join([*cells, row[-1]]).rstrip(), width))
    return lines


def cut(line: str, width: int | None) -> str:
    """``line`` in at most ``width`` cells; an ellipsis says that something is missing."""
    from rich.cells import cell_len, set_cell_size

    if width is None or cell_len(line) <= width:
        return line
    return set_cell_size(line, max(width - 1, 0)).rstrip() + "…" if width > 0 else ""


def moment(at: float | None) -> str:
    """When it was, by this machine's clock and zone: the time of day, and the date if that was another one."""
    if at is None:
        return "-"
    then, today = time.localtime(at), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
