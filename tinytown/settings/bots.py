"""Bots that review changes at a forge: where each says what it found, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from tinytown.settings.types import Pattern, Seconds, Section


class BotSettings(Section):
    """A bot that reviews changes; of one that is known, only what is different."""

    login: str = Field("", description="Its login at the forge, with or without `[bot]`.")
    channel: Literal["check", "status", "review"] = Field(
        "review", description="Where it says that it is done: a check run, a commit status, or a review."
    )
    context: str = Field("", description="Name of its check or status.")
    clean: Pattern | None = Field(
        None, description="Pattern of what it says when it has reviewed everything (default: that it succeeded)."
    )
    findings: Pattern | None = Field(None, description="Pattern of what it says when it has found something.")
    skipped: Pattern | None = Field(None, description="Pattern of what it says when it has reviewed nothing.")
    limited: Pattern | None = Field(None, description="Pattern of what it says when it has reached a limit.")
    deadline_secs: Seconds = Field(900, description="How long it is waited for after a push.")
    required: bool = Field(False, description="Ask a person about each change that it did not review.")


#: The bots that are known.
BUILT_IN: Final[Mapping[str, BotSettings]] = {
    # Its check is neutral when it found something, and also when it was cancelled or failed: its words tell.
    "bugbot": BotSettings(
        login="cursor",
        channel="check",
        context="Cursor Bugbot",
        findings=r"BUGBOT_BUG_ID|found \d{1,4} (?:potential )?issue",
        skipped=r"skipping bugbot|bugbot was skipped",
        limited=r"bugbot.{0,60}(?:limit|quota)|(?:reached|exceeded) .{0,40}(?:limit|quota)",
    ),
    # It only comments: what it found are the threads.
    "copilot": BotSettings(
        login="copilot-pull-request-reviewer",
        skipped=r"(?:wasn't|was not|un)\W?able to review|did not review|no reviewable files",
        limited=r"copilot.{0,60}(?:limit|quota)|(?:reached|exceeded) .{0,40}(?:limit|quota)",
    ),
    # Its status is a success whatever happened: its description tells.
    "coderabbit": BotSettings(
        login="coderabbitai",
        channel="status",
        context="CodeRabbit",
        clean=r"^review completed|no actionable comments",
        skipped=r"skipped|review disabled|draft",
        limited=r"limit|quota|credits",
    ),
}


def table(own: Mapping[str, BotSettings]) -> dict[str, BotSettings]:
    """All bots by name: the known ones with what a configuration changes of them, and those that it adds."""
    found = dict(BUILT_IN)
    for name, bot in own.items():
        changes = {key: getattr(bot, key) for key in bot.model_fields_set}
        found[name] = BUILT_IN[name].model_copy(update=changes) if name in BUILT_IN else bot
    return found


def fault(name: str, bot: BotSettings) -> str | None:
    """What is missing in the configuration of a bot; ``None`` if nothing is."""
    whole = table({name: bot})[name]
    if not whole.login:
        return f"forge.github.bots.{name} needs `login`"
    if whole.channel != "review" and not whole.context:
        return f"forge.github.bots.{name} needs `context`, the name of its {whole.channel}"
    return None
