"""Auggie, checked with 0.36.0."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinytown.agents import records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Opening, Output, Request
from tinytown.agents.drivers.claude import read_records
from tinytown.agents.drivers.vendor import VendorDriver, other_output, parts_of, within
from tinytown.agents.excerpts import json_fields
from tinytown.agents.login import Ways

_READABLE = "agents commands rules user-guidelines.md"
_EXCERPTS = {"settings.json": json_fields("model toolPermissions autoUpdate notificationMode vimMode theme")}
_WAYS = Ways(
    kept=["~/.augment/session.json"],
    settings={"~/.augment/settings.json": r"(?i)auth|token|url|session|\benv"},
)


class AuggieDriver(VendorDriver):
    """``auggie --print``: the brief is a file, the answer one JSON record. It tells neither cost nor tokens."""

    program = "auggie"
    hosts = ("*.augmentcode.com",)
    configures = (
        ".augment",
        ".augment-guidelines",
        ".augmentignore",
        ".claude",
        ".agents",
        "AGENTS.md",
        "CLAUDE.md",
    )
    ways = _WAYS
    own_lines = re.compile(r"Error: |No auth provided|API Error|Authentication ")

    def invocation(self, request: Request) -> Invocation:
        home = request.home / ".augment"
        argv = [self.program, "--print", "--output-format", "json"]
        argv += ["--instruction-file", str(request.prompt_file), "-w", str(request.workspace)]
        if request.session is not None:
            argv += ["--resume", request.session]
        return Invocation(
            argv=argv,
            readable=[request.prompt_file, *within(home, _READABLE)],
            excerpts=parts_of(home, _EXCERPTS),
            writable=within(home, "session.json"),
            sessions=[home],
        )

    def conversation(self, opening: Opening) -> Sequence[str]:
        return [self.program, "--instruction-file", str(opening.file)]

    def login_check(self) -> Sequence[str]:
        """Exits with 1 where nobody is logged in."""
        return [self.program, "account", "status"]

    def read(self, output: Output) -> Said:
        found = records.document(output.stdout)
        entries = [found] if isinstance(found, dict) else list(records.lines(output.stdout))
        return read_records(entries, output, other_output=other_output(output.stdout))
