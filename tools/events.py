"""Every kind of event, in words: what happened, and the fields it carries under ``data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Sentence and fields of each kind. A test compares them with the code.
KINDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "mission_started": ("The mission was saved and its first items released.", ("items",)),
    "mission_paused": ("An operator or the spend cap froze it.", ("reason",)),
    "mission_resumed": ("An operator let it go on.", ("reason",)),
    "mission_blocked": ("Nothing runs or can run until somebody acts.", ()),
    "mission_running": ("It runs again after it was blocked.", ()),
    "mission_noted": ("An operator left a remark for the next briefs.", ("text",)),
    "mission_completed": ("Every item settled, every merge is done.", ()),
    "mission_failed": ("Its base branch is gone.", ("reason",)),
    "mission_troubled": ("Something stands in its way as a whole, or (without a text) does no more.", ("text",)),
    "mission_cancelled": ("An operator ended it.", ()),
    "help_asked": ("The conductor was asked for help, for the first time or again.", ("reasons", "asked")),
    "item_ready": ("Its last dependency settled.", ("after",)),
    "item_done": ("It is through all its gates; dependents may start.", ("agent",)),
    "item_failed": ("Its attempts are used up.", ("summary",)),
    "item_waits": ("It waits for another reason than before.", ("reason", "remedy")),
    "issue_edited": ("Its issue was changed, closed or lost outside; the plan stays.", ("text",)),
    "issue_reread": ("An operator let the next briefs have the issue as it is now.", ()),
    "item_retried": ("An operator had it tried again.", ()),
    "item_redirected": ("An operator gave it to one agent.", ("agent",)),
    "item_cancelled": ("An operator ended it.", ("reason",)),
    "attempt_sent": ("An attempt was sent to a queue.", ("purpose", "queue", "number")),
    "attempt_withdrawn": ("Nobody took the attempt; its number is void.", ("number",)),
    "attempt_started": (
        "A worker claimed the attempt, to be run with `cli`.",
        ("agent", "purpose", "target", "number", "cli"),
    ),
    "attempt_ended": (
        "The attempt ended; `outcome` says how.",
        ("agent", "purpose", "target", "number", "outcome", "summary"),
    ),
    "change_collected": ("An agent's commits are safe in the mirror.", ("sha", "branch")),
    "change_published": ("The forge has the change.", ("text",)),
    "publish_refused": ("The forge refuses the change; help is asked.", ("text",)),
    "publish_failed": ("The forge did not take the change yet.", ("text",)),
    "checks_passed": ("The checks passed on this commit.", ("sha",)),
    "approved": ("A reviewer approved the present commit.", ("by",)),
    "fix_requested": ("A gate refused the change; a fix round follows.", ("gate", "summary")),
    "human_approved": ("a person approved exactly this commit", ("sha",)),
    "merge_requested": ("An operator asked for the merge.", ()),
    "merged": ("The base holds the change in this commit.", ("sha",)),
    "outside_news": ("Something outside moved: a merge by hand, an issue that was waited for.", ()),
    "agent_spawned": ("An agent was spawned.", ("agent", "role", "cli")),
    "agent_killed": ("An agent was ended for good.", ("agent",)),
    "message_sent": ("A message was put into a mailbox.", ("sender", "to", "message")),
}
