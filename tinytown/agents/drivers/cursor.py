"""Cursor's CLI, after its vendor's documentation: it could not be tried."""

from __future__ import annotations

import re

from tinytown.agents import arguments, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Output, Request
from tinytown.agents.drivers.claude import read_records
from tinytown.agents.drivers.vendor import VendorDriver, other_output, parts_of, within
from tinytown.agents.excerpts import json_fields

_READABLE = ".cursor/rules"
_EXCERPTS = {
    ".cursor/cli-config.json": json_fields(
        "version editor permissions model selectedModel hasChangedDefaultModel maxMode authInfo network approvalMode "
        "privacyCache display channel"
    )
}


class CursorDriver(VendorDriver):
    """``cursor-agent -p``: the brief is an argument, the answer one JSON record. No session is resumed.

    A brief that is too long for an argument is read from its file.
    """

    program = "cursor-agent"
    hosts = ("*.cursor.sh", "*.cursor.com")
    configures = (
        ".cursor",
        ".cursorrules",
        ".cursorignore",
        ".cursorindexingignore",
        ".mcp.json",
        "AGENTS.md",
        "CLAUDE.md",
    )
    own_lines = re.compile(r"(?:Connect)?Error: |You've hit your ")

    def invocation(self, request: Request) -> Invocation:
        prompt = arguments.or_pointer(request.prompt, request.prompt_file)
        return Invocation(
            # Without --force it only proposes changes.
            argv=[self.program, "-p", "--force", "--output-format", "json", prompt],
            readable=[request.prompt_file, *within(request.home, _READABLE)],
            excerpts=parts_of(request.home, _EXCERPTS),
            writable=within(request.home, ".config/cursor/auth.json"),
        )

    def read(self, output: Output) -> Said:
        found = records.document(output.stdout)
        entries = [found] if isinstance(found, dict) else list(records.lines(output.stdout))
        return read_records(entries, output, other_output=other_output(output.stdout))
