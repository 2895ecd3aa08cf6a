"""The roles that every town has. Standard library only: the shell's completion reads it at each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: The role of an issue that names none, and of whoever may stand in for a role without a worker.
DEFAULT: Final = "worker"
#: The role that judges changes.
REVIEWER: Final = "reviewer"

#: Roles every town has, with the other words for them.
BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "designer": ("architect", "design", "architecture"),
    "backend": ("developer", "api", "server", "endpoint", "endpoints"),
    "frontend": ("ui", "web"),
    "tester": ("test", "tests", "qa"),
    REVIEWER: ("review", "audit"),
    "devops": ("infra", "deploy"),
    "docs": (),
    "security": (),
    "researcher": (),
    DEFAULT: (),
}
