"""Every kind of event, in words: what happened, and the fields it carries under ``data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Sentence and fields of each kind. A test compares them with the code.
KINDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "mission_started": ("The mission was saved and its first items released.", ("items",)),
    "plan_pushed": (
        "The plan was recorded, or changed: so many tasks each way.",
        ("added", "changed", "removed", "unchanged"),
    ),
    "task_assigned": ("A person gave a task by hand, to this agent or role.", ("to",)),
    "mission_paused": ("An operator or the budget paused it.", ("reason",)),
    "mission_resumed": ("An operator resumed it.", ("reason",)),
    "mission_blocked": ("Nothing is running or can run until somebody acts.", ()),
    "mission_running": ("It is running again after being blocked.", ()),
    "mission_noted": ("An operator left a remark for the next briefs.", ("text",)),
    "mission_completed": ("Every item is settled and every merge is done.", ()),
    "mission_failed": ("Its base branch is gone.", ("reason",)),
    "mission_troubled": ("A problem holds up the whole mission, or (without a text) is resolved.", ("text",)),
    "mission_cancelled": ("An operator cancelled it.", ()),
    "help_asked": ("The conductor was asked for help, for the first time or again.", ("reasons", "asked")),
    "item_ready": ("Its last dependency settled.", ("after",)),
    "item_done": ("It passed all its gates; dependents may start.", ("agent",)),
    "item_failed": ("Its attempts are used up.", ("summary",)),
    "item_waits": ("It is waiting for a new reason.", ("reason", "remedy")),
    "issue_edited": ("Its issue was changed, closed or lost outside; the plan stays.", ("text",)),
    "issue_reread": ("An operator asked for the issue to be read again for the next briefs.", ()),
    "item_retried": ("An operator retried it.", ()),
    "item_redirected": ("An operator assigned it to one agent.", ("agent",)),
    "item_cancelled": ("An operator cancelled it.", ("reason",)),
    "attempt_sent": ("An attempt was sent to a queue.", ("purpose", "queue", "number")),
    "attempt_withdrawn": ("No worker took the attempt; its number does not count.", ("number",)),
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
    "review_unheard": ("A review ended without a verdict on the present commit.", ("agent", "summary")),
    "fix_requested": ("A gate rejected the change; a fix round follows.", ("gate", "summary")),
    "human_approved": ("A person approved exactly this commit.", ("sha",)),
    "merged_by_hand": ("An operator named the commit of the base that brought it.", ("sha",)),
    "merge_requested": ("An operator asked for the merge.", ()),
    "merged": ("The change was merged into the base as this commit.", ("sha",)),
    "outside_news": ("Something changed outside: a merge by hand, or an issue it was waiting for.", ()),
    "agent_spawned": ("An agent was spawned.", ("agent", "role", "cli")),
    "town_restored": ("The town was restored from a file, as it was at the time of `saved_at`.", ("saved_at",)),
    "agent_state_changed": (
        "An agent was interrupted, resumed, closed, killed, restarted, or ended by itself.",
        ("agent", "why"),
    ),
    "messages_forwarded": (
        "What an agent that has ended had not read was put into another one's mailbox.",
        ("agent", "to", "count"),
    ),
    "agent_pruned": ("The record of an agent that had ended was removed.", ("agent",)),
    "item_moved": ("It moved, and no other event tells of it.", ()),
    "mission_moved": ("It moved, and no other event tells of it.", ()),
    "message_sent": ("A message was put into a mailbox.", ("sender", "to", "message")),
}
