"""Code that an agent leaves for others to run: where it lies, and who might run it; see `test_planted_code`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Plant:
    """One file that tells when it is run."""

    path: str
    language: Literal["shell", "python", "pth", "git"]


#: Programs that tinytown runs, where a ``PATH`` with ``.``, ``./bin`` or an empty entry finds them.
PROGRAMS = (
    "git", "git-lfs", "bwrap", "python3", "python", "redis-server", "redis-check-aof", "sh", "env", "setpriv", "tt",
    "uname", "ldconfig", "ps", "make",
)  # fmt: skip
#: Modules that a Python process would take for those that it knows, if the repository were on its import path.
MODULES = (
    "sitecustomize", "usercustomize", "celery", "celeryconfig", "celerybeat", "flowerconfig", "redis", "kombu", "click",
    "pydantic", "json", "logging", "tinytown", "tinytown_beat", "tinytown_workers", "psutil", "tomllib",
)  # fmt: skip
HOOKS = (
    "pre-commit",
    "post-commit",
    "post-merge",
    "post-checkout",
    "reference-transaction",
    "pre-push",
    "post-rewrite",
)

PLANTS = (
    *(Plant(name, "shell") for name in PROGRAMS),
    *(Plant(f"bin/{name}", "shell") for name in PROGRAMS),
    *(Plant(f"{name}.py", "python") for name in MODULES),
    Plant("planted.pth", "pth"),
    *(Plant(f".hooks/{name}", "shell") for name in HOOKS),
    # Repositories of the agent's own: git looks for one in every folder in which it is started.
    Plant("docs/store.git/config", "git"),
    Plant("docs/inner/config", "git"),
    Plant("docs/INNER2/config", "git"),
)
