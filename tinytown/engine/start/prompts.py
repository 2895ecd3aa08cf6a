"""Prompts of roles: files that the town's people write, named by ``[roles.NAME] prompt``."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.town import Town

#: Largest prompt, in bytes.
MAX_PROMPT = 256 << 10


def role_prompt(town: Town, role: str) -> str:
    """The prompt of a role; empty if it has none.

    Raises:
        ConfigurationError: the file that it names cannot be read as text, or is too large.
    """
    settings = town.settings.roles.get(role)
    if settings is None or settings.prompt is None:
        return ""
    path = town.root / settings.prompt
    try:
        if not path.is_file():
            why = "there is no such file"
        elif path.stat().st_size > MAX_PROMPT:
            why = f"it is larger than {MAX_PROMPT >> 10} KB"
        else:
            return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        why = "it cannot be read as text"
    raise ConfigurationError(
        f"the prompt of the role {role}, {settings.prompt}: {why}",
        remedy=f"create it, or correct `prompt` under [roles.{role}] in tinytown.toml",
    )


def read_prompts(town: Town) -> dict[str, str]:
    """The prompts of all roles, as a mission fixes them at its start.

    Raises:
        ConfigurationError: one of them cannot be read.
    """
    return {role: role_prompt(town, role) for role in town.settings.roles}


def prompt_of(context: Context, mission: str, role: str) -> str:
    """The prompt of a role as it was when the mission began: an agent may have changed the file since."""
    try:
        fixed: dict[str, str] = context.store.fixed(mission, "prompts")
    except NotFoundError:
        # It was started by a release that did not fix them.
        return role_prompt(context.town, role)
    return fixed.get(role, "")
