"""Qwen Code, checked with 0.15.10."""

from __future__ import annotations

import dataclasses
import re

from tinytown.agents import records
from tinytown.agents.answer import Said
from tinytown.agents.claude import read_records
from tinytown.agents.driver import Invocation, Output, Request
from tinytown.agents.vendor import VendorDriver, within

_READABLE = ".env QWEN.md agents commands extensions settings.json skills"
#: It answers with the error of the model's service and calls that a success.
_FAILED = re.compile(r"(?:\[API Error: ?)?(?:(\d{3})\b|Connection error)|\[API Error")
_LAST_RESULT = '{"type":"result"'


class QwenDriver(VendorDriver):
    """``qwen -o json``: the brief is its stdin, the answer one JSON array in Claude Code's format.

    A session is known in its own folder alone, so none is resumed.
    """

    program = "qwen"
    house_rules = ("QWEN.md",)

    def invocation(self, request: Request) -> Invocation:
        home = request.home / ".qwen"
        argv = [self.program, "-o", "json", "--yolo"]
        if {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & set(self._env):
            argv += ["--auth-type", "openai"]
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            readable=within(home, _READABLE),
            writable=within(home, "oauth_creds.json"),
        )

    def read(self, output: Output) -> Said:
        found = records.document(output.stdout)
        if found is None:
            # Of a long answer the middle was left out; its last record is whole.
            end = output.stdout.rfind(_LAST_RESULT)
            found = records.document(f"[{output.stdout[end:]}") if end >= 0 else None
        entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        said = read_records(entries, aside="" if entries else output.stdout)
        failed = _FAILED.match(said.text) if said.error is not None or said.text.startswith(_SIGNS) else None
        if failed is None:
            return said
        return dataclasses.replace(said, error=said.text, status=int(failed[1]) if failed[1] else said.status)


_SIGNS = ("[API Error", "Connection error")
