"""What a long campaign has done already: a line each in the file that ``SURVIVAL_DONE`` names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def done_before() -> list[dict[str, Any]]:
    """All that is on record; a last line that nobody finished is not."""
    named = os.environ.get("SURVIVAL_DONE")
    return read(Path(named)) if named else []


def read(file: Path) -> list[dict[str, Any]]:
    """The lines of such a file, if there is one."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]


def note(row: Mapping[str, Any]) -> None:
    """One thing more was done."""
    if named := os.environ.get("SURVIVAL_DONE"):
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
