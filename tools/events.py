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
    "question_given": ("The unattended conductor was given a question, in this run.", ("sender", "run")),
    "question_answered": ("It answered; the question is settled.", ("sender", "run", "why")),
    "question_settled": ("Somebody else answered the question.", ("sender", "run", "why")),
    "question_left": ("It did not answer; the question waits for people.", ("sender", "run", "why")),
    "task_assigned": ("A person gave a task by hand, to this agent or role.", ("to",)),
    "backlog_added": ("Work was added to the backlog.", ("entry", "text", "tags", "by")),
    "backlog_claimed": ("An entry of the backlog became this task, for this agent.", ("agent", "entry", "by")),
    "backlog_returned": (
        "The task is in the backlog again, as its agent has ended.",
        ("entry", "text", "agent", "by"),
    ),
    "backlog_removed": ("An entry was removed from the backlog.", ("entry", "text", "by")),
    "day_limit_reached": ("What all missions may spend on a day is used up, and something waits for that.", ("text",)),
    "cleared": ("What was old was cleared away: how many of each kind, and the bytes.", ("went", "bytes")),
    "day_limit_set": ("A person gave this day other limits.", ("usd", "tokens")),
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
    "item_done": ("It passed all its gates, or a person says so; dependents may start.", ("agent", "why")),
    "item_failed": ("Its attempts are used up.", ("summary",)),
    "item_waits": ("It is waiting for a new reason.", ("reason", "remedy")),
    "issue_edited": ("Its issue was changed, closed or lost outside; the plan stays.", ("text",)),
    "issue_reread": ("An operator asked for the issue to be read again for the next briefs.", ()),
    "item_retried": ("An operator retried it, or something that it came after.", ("why",)),
    "item_redirected": (
        "It is for one agent from now on; without a name, for anybody with its `role`.",
        ("agent", "role"),
    ),
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
    "change_published": ("The forge has the change; `url` is its page there, if it has one.", ("text", "url")),
    "publish_refused": ("The forge refuses the change; help is asked.", ("text",)),
    "publish_failed": ("The forge did not take the change yet.", ("text",)),
    "checks_passed": ("The checks passed on this commit.", ("sha",)),
    "approved": ("A reviewer approved the present commit.", ("by",)),
    "review_unheard": ("A review ended without a verdict on the present commit.", ("agent", "summary")),
    "fix_requested": ("A gate rejected the change; a fix round follows.", ("gate", "summary")),
    "check_rerun": (
        "A red check is run again, as the change may not be its cause; that costs nothing.",
        ("check", "why"),
    ),
    "check_flaked": ("A check that was run again passed: it failed by chance.", ("check",)),
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
    "item_moved": ("It moved with something else, and no other event tells of it.", ("why",)),
    "mission_moved": ("It moved with something else, and no other event tells of it.", ("why",)),
    "message_sent": (
        "A message was put into a mailbox; `answers` is the message that it answers, where the end of a run sent it.",
        ("sender", "to", "message", "answers"),
    ),
    "item_answered": ("All its messages were answered in another run, so it needs none of its own.", ("agent",)),
}
