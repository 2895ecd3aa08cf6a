"""A running `tt flower`, asked over HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.acceptance.project import TT, Project


@dataclass(frozen=True)
class Flower:
    """Where it listens, and the password that it printed."""

    port: int
    password: str

    def ask(self, path: str, *, password: str | None = None, post: bool = False) -> tuple[int, str]:
        """Status and body of an answer: 0 while nobody answers, no body with a refusal."""
        user = base64.b64encode(f"tt:{self.password if password is None else password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            headers={"Authorization": f"Basic {user}"},
            data=b"" if post else None,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except OSError:
            return 0, ""

    def json(self, path: str) -> Any:
        """What is at this path; nothing while nobody answers."""
        return json.loads(self.ask(path)[1] or "{}")


@contextmanager
def flower(project: Project, port: int) -> Iterator[Flower]:
    """Flower on the project's town, until the block ends."""
    words = [str(TT), "flower", "--port", str(port)]
    env = {**os.environ, **project.env}
    with subprocess.Popen(words, cwd=project.root, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            shown = re.fullmatch(rf"🌼 http://127\.0\.0\.1:{port} \(user tt, password (\S+)\)\n", line)
            assert shown is not None, line
            yield Flower(port, shown[1])
        finally:
            process.terminate()
            process.wait(timeout=20)
