"""The page about JSON: every object that ``--json`` prints, with an example made by the code that prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinytown.commands.backlog import entry_json
from tinytown.engine.conductor.questions import Question
from tinytown.engine.doctor import Finding
from tinytown.engine.operate.present import AgentView
from tinytown.engine.operate.recovery import Orphan, Recovery
from tinytown.engine.upkeep.migrate import Migrated
from tinytown.engine.upkeep.reset import Reset
from tinytown.engine.upkeep.restore import Restored
from tinytown.engine.upkeep.save import Saved
from tinytown.engine.views.backlog import EntryView
from tinytown.engine.views.history import Line, line_json
from tinytown.engine.views.items import attempt_json
from tinytown.engine.views.mailbox import Shown, question_json, shown_json, waiting_json
from tinytown.engine.views.mailbox import Waiting as MailboxWaiting
from tinytown.engine.views.missions import MissionView, Watch, mission_json
from tinytown.engine.views.towns import TownView
from tinytown.host.lifecycle import ProcessStatus
from tinytown.missions import states
from tinytown.missions.records.agent import Event, Message
from tinytown.missions.records.attempt import AttemptRecord, Report
from tinytown.missions.records.backlog import Entry
from tinytown.missions.records.issue import Edge
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.records.record import Waiting
from tinytown.plans.model import Meta, Task
from tinytown.plans.reader import read
from tinytown.plans.stages import Stage
from tinytown.plans.view import plan_json
from tinytown.settings.known import Setting
from tools.writing import first, plain, sentences, table

_STABLE = (
    "Keys are stable: new ones may come, none changes its meaning. Times are seconds since 1970, those of missions by "
    "the server's clock; money is US dollars."
)
_STATES = "See [states](../concepts/states.md)."

#: What the code leaves to a key's name, by section.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "A mission": {
        "id": "Unique in the town; commands take its first characters.",
        "state": _STATES,
        "repo": "Repository of its issues.",
        "base": "Branch to merge changes into.",
        "created_at": "When it was started.",
        "finished_at": "When it ended.",
        "spent_usd": "What its agents reported to have cost.",
        "policy": "Its rules, fixed at the start: [settings](settings.md), section `[policy]`.",
        "help": "The call for help that stands unanswered.",
        "unattended": "What the unattended conductor did or does about that; empty while it is off.",
        "counts": "How many items are in each state.",
        "interrupted": "Agents at work on its items whom somebody interrupted: their runs stand still.",
    },
    "An entry of the backlog": {
        "id": "`b` and a number; later ones have larger numbers.",
        "text": "What is to be done.",
        "tags": "Words to find it by.",
        "by": "Who added it: `operator`, or an agent.",
        "at": "When it was added.",
    },
    "A work item": {
        "key": "Key of the issue.",
        "number": "Number of the issue.",
        "title": "Title of the issue.",
        "state": _STATES,
        "role": "Role it wants.",
        "kind": "What it produces, told from the role or the manifest.",
        "priority": "Larger goes first.",
        "fix_rounds": "How often a gate refused it.",
        "waiting": "Why it does not move, since when, until when, and what would help.",
        "attempt": "The attempt that was sent; `claimed` once a worker has it.",
        "depends_on": "Its dependencies, each with the place that states it.",
        "branch": "Branch of its change.",
        "looks": "What its change does to what judges it, seen when its head was collected.",
        "merged": "Commit of the base that holds the change.",
        "approved_by": "Who approved it last.",
        "cost_usd": "What its runs reported to have cost.",
        "news": "What changed in its issue since the start, with what to do about it; else empty.",
        "ready_at": "When its last dependency settled.",
        "started_at": "When it was claimed for the first time.",
        "settled_at": "When it settled, failed or was cancelled.",
    },
    "A watch": {
        "item": "Key of the item.",
        "number": "Number of its issue.",
        "text": "Who is at it, or for what it waits.",
        "until": "When it is tried again, where that is known.",
        "whom": "The person it waits for, if that is known.",
        "seen": "Whether it is what a remote forge said.",
    },
    "An attempt that ended": {
        "id": "`<mission>/<item key>/<number>`.",
        "item": "Key of the item.",
        "number": "Strictly increasing within the item, never used twice.",
        "purpose": _STATES,
        "target": "For a check: `head`, or `merge` for the merge into the base.",
        "agent": "Who claimed it.",
        "role": "Role it was sent for.",
        "sent_at": "When it was sent to its queue.",
        "claimed_at": "When a worker took it.",
        "ended_at": "When its report came, or its lease was lost.",
        "report": "See below.",
    },
    "Its report": {
        "outcome": _STATES,
        "head": "Newest commit that was collected.",
        "base_sha": "Commit its branch started from.",
        "change": "The change at the forge.",
        "change_id": "The forge's own name for it; empty where a branch is all there is.",
        "change_url": "Its page, if it has one.",
        "told": "Head whose approval was told at a remote forge.",
        "cost_usd": "What the CLI reported.",
        "tokens": "What the CLI reported.",
        "looks": "What the change `head` does to what judges it.",
        "session": "Session of the CLI, for a fix round to resume.",
        "log": "Folder of its logs, on the machine where it ran.",
    },
    "An agent": {
        "name": "Name of the agent.",
        "nickname": "What people call it.",
        "label": "`Nickname [role]`; commands take it, and the nickname, in place of the name.",
        "role": "Role whose queue it serves.",
        "cli": "Its agent CLI.",
        "state": _STATES,
        "why": "Why it is in this state, where that is no matter of course.",
        "state_since": "Since when it shall be so.",
        "rounds": "Runs that it began since it was started.",
        "max_rounds": "How many it may begin; 0 for no limit.",
        "item": "Key of the item at hand.",
        "purpose": "What for: `work`, `fix` or `review`.",
        "since": "When it took it.",
        "mission": "Mission of that item.",
        "worker": "While it is there: the process that serves it, as `MACHINE/PID`.",
    },
    "A recovery": {
        "checked": "How many agents were looked at.",
        "gone": "Agents that are gone; they are `stopped` now, unless it was a dry run.",
        "coming": "Agents that are not there, and that the town starts again by itself.",
        "lost": "Ids of attempts whose lease had run out; their items are sent again.",
    },
    "What an agent left behind": {
        "kind": "`item`: it is redirected to that agent alone; `message`: the agent had not read it.",
        "agent": "Agent that has ended.",
        "id": "Key of the item, or id of the message.",
        "mission": "Mission of the item, or that the message is about, if any.",
        "text": "Title of the item, or sender and text of the message.",
    },
    "An event": {
        "id": "Position in the stream; the events of one commit share it.",
        "at": "When it happened.",
        "kind": "One of the [events](events.md).",
        "mission": "Mission that it is about, if any.",
        "item": "Key of the item that it is about, if any.",
        "agent": "Agent that it is about, if any.",
        "from": "The state before, where it tells of a step.",
        "to": "The state after.",
        "why": "Why, as far as it says so.",
        "by": "Who did it: `operator`, an agent, or `town`.",
        "text": "What happened, in words.",
        "data": "All of its fields.",
    },
    "A process": {
        "name": "Name of the process, and of its log.",
        "pid": "Its process id while it runs.",
        "restarts": "How often it was started again.",
        "last_exit": "Exit code of its last end.",
        "log": "File of its log.",
    },
    "A message": {
        "id": "Its id in the town; of the town's own its place in the mailbox.",
        "at": "When it was sent.",
        "sender": "Who sent it.",
        "to": "Whose mailbox it is in.",
        "kind": "`message`, `query`, `info` or `ack`.",
        "text": "What it says.",
        "urgent": "Marked as urgent.",
        "mission": "Mission it is about, if any.",
        "pending": "Its agent has not got it yet; in the conductor's mailbox: neither marked as read nor settled.",
        "open": "It asks what is not answered yet.",
        "settled": "It asked what nobody has to answer any more.",
    },
    "A mailbox": {
        "name": "Whose it is.",
        "label": "`Nickname [role]` of the agent; empty for the conductor.",
        "state": "State of the agent; empty for the conductor.",
        "counts": "How many messages are pending, by kind.",
        "messages": "What is pending: messages as above.",
    },
    "A question": {
        "mission": "Mission it is about, if any.",
        "sender": "`dispatcher`, or the agent that asked.",
        "since": "When it was asked first.",
        "asked": "How often it was asked.",
        "reasons": "What is wrong or wanted, a sentence each.",
        "answer": "The command that answers.",
        "unattended": "What the unattended conductor did or does about it; empty while it is off.",
    },
    "A plan": {
        "file": "The file that was read.",
        "order": "Ids of the tasks, each after those it waits for; those in a circle, and behind one, are missing.",
        "tasks": "See below; in the order of the file.",
        "problems": "All that is wrong, with `line`, `message` and `remedy`; the command ends with exit code 2 then.",
        "remarks": "What is allowed and hardly meant, in the same form.",
        "description": "What it is about.",
        "reviewer_required": "Whether a reviewer must approve each change; `null` for the town's setting.",
        "checks": "What each change must pass; `null` for the town's setting.",
        "budget_usd": "Pause when this much has been spent.",
    },
    "A task of a plan": {
        "id": "Its name in the plan.",
        "description": "What is to be done.",
        "state": _STATES,
        "wanted": "`agent`, or the plan's `default_agent`; `null` for an epic, and where nobody is named.",
        "parent": "As the file has it.",
        "epic": "It groups tasks, and nobody works on it.",
        "epic_by": "Why it is an epic: `tag`, or `no_agent` if it is a parent that nobody would do.",
        "in_epic": "The epic that it is in; else `parent`, if there is one, is a task it runs after.",
        "tags": "As the file has them.",
        "result": "What it left.",
        "waits": "The tasks it waits for, `on`, each with the `line` and the `reason`: `parent`, `order` (of the file, "
        "in an epic), `depends_on`, `epic` (all of it waits for that), `child` (it is an epic, and that is in it).",
        "line": "Where it begins in the file.",
    },
    "A town from outside": {
        "id": "Its id, which also names its state folder.",
        "name": "Its name.",
        "root": "Its folder.",
        "working": "Those of them at work now.",
    },
    "A saved town": {
        "file": "The file.",
        "missions": "How many missions are in it, those that ended too.",
        "items": "How many work items these have.",
        "agents": "How many agents.",
    },
    "A restored town": {
        "name": "Its name.",
        "root": "Its folder.",
        "missions": "How many missions came back, those that ended too.",
        "items": "How many work items these have.",
        "agents": "How many agents.",
    },
    "A migration": {
        "missions": "Heads of missions that are of an older form.",
        "items": "Items that are.",
        "attempts": "Finished attempts that are.",
    },
    "A reset": {
        "agents": "How many agents.",
        "messages": "How many messages.",
        "missions": "How many missions; none with `--agents-only`.",
        "items": "How many work items these have.",
    },
    "A setting": {
        "value": "What counts; lists leave out passwords and the values of variables.",
    },
    "A finding": {
        "name": "What was looked at.",
        "status": "`ok`, `warn` or `fail`.",
        "detail": "What was found.",
        "remedy": "What to do about it.",
    },
}

_ID = "0a1b2c3d-0000-4000-8000-000000000000"
_BRANCH = "tt/0a1b2c3d/local-auth-2"
_ITEM = Item(
    key="local/auth#2",
    number=2,
    title="Implement auth endpoints",
    role="backend",
    edges=(Edge(on="local/auth#1", source=states.Source.TEXT, line=3, text="Depends on #1."),),
    state=states.ItemState.IN_REVIEW,
    waiting=Waiting(reason=states.WaitReason.REVIEW, since=1050.0, remedy="everybody is busy"),
    attempts=1,
    agent="backend",
    branch=_BRANCH,
    head="37b6775f" * 5,
    change=_BRANCH,
    cost_usd=0.04,
    ready_at=1000.0,
    started_at=1001.0,
)
_MISSION = Mission(
    id=_ID,
    state=states.MissionState.RUNNING,
    objectives=(_ITEM.key,),
    forge="local",
    repo="local/auth",
    base="main",
    created_at=1000.0,
    spent_usd=0.04,
)
_WATCH = Watch(_ITEM.key, 2, _BRANCH, "review", "waiting", "review: everybody is busy")
_ATTEMPT = AttemptRecord(
    id=f"{_ID}/{_ITEM.key}/1",
    item=_ITEM.key,
    number=1,
    purpose=states.Purpose.WORK,
    agent="backend",
    role="backend",
    sent_at=1000.5,
    claimed_at=1001.0,
    ended_at=1040.0,
    report=Report(outcome=states.Outcome.SUCCEEDED, summary="wrote the endpoints", cost_usd=0.04),
)
_AGENT = AgentView(
    name="backend",
    nickname="Ada",
    label="Ada [backend]",
    role="backend",
    cli="demo",
    state="working",
    why="",
    state_since=990.0,
    returns=False,
    parent="",
    rounds=1,
    max_rounds=0,
    item=_ITEM.key,
    purpose="work",
    since=1001.0,
    mission=_ID,
    pending={"message": 1, "query": 0, "info": 2, "ack": 0},
    worker="tower/4711",
)
_OF_AGENTS = (
    "`tt list`, `agents` of `tt status`, and what `tt interrupt`, `tt resume`, `tt close`, `tt kill` (with `ran`: "
    "whether it was running), `tt restart`, `tt wait` and `tt prune` print. `tt spawn` prints the records that it "
    "made, with `fresh`: `false` where the agent was there already."
)
#: Last words of the commands that print an array.
_LISTS = frozenset(
    {"list", "doctor", "inbox", "config", "towns", "spawn", "prune", "reclaim", "history", "events", "metrics"}
)
_LINE = Line(
    "1000-0",
    Event(
        at=1000.0,
        kind="item_failed",
        mission=_ID,
        item=_ITEM.key,
        data={"summary": "no tests", "from": "running", "to": "failed", "by": "backend"},
    ),
)
_PROCESS = ProcessStatus("beat", "beat", "running", 4711, 1000.0, 0, None, Path("auth/.tt/logs/beat.log"))
_QUESTION = Question(
    _ID, "dispatcher", 1000.0, 1, ("Issue #2 failed: …",), 'tt mission note 0a1b2c3d "resume|retry 2|…"'
)
_ENTRY = Entry(id="b3", text="Explain the settings", tags=("docs", "urgent"), roles=("docs",), by="operator", at=1000.0)
_MESSAGE = Message(
    id="1000-0", at=1000.0, sender="dispatcher", to="conductor", kind="query", text="Mission 0a1b2c3d needs help: …"
)


_PLAN = b"""\
[[tasks]]
id = "design"
description = "Design the API"
agent = "architect"

[[tasks]]
id = "implement"
description = "Implement it"
agent = "developer"
parent = "design"
"""


_MORE = (
    "With `items` and `watches` besides. `tt mission start` and `tt mission plan` add `remarks`, what you should know, "
    "and `unread_mentions`: each place where an issue names another one of the mission and is not read as its "
    "dependency, with `key`, `mentions`, `line` (0 for the title) and `text`."
)


def page(commands: Sequence[str]) -> str:
    """The page; ``commands`` are those that take ``--json``."""
    plan = plan_json(read(_PLAN, source="tasks.toml"))
    mission = mission_json(MissionView(_MISSION, [_ITEM], now=1060.0, watches=[_WATCH]))
    (item,), (watch,) = mission.pop("items"), mission.pop("watches")
    lists = [words for words in commands if words.rpartition(" ")[2] in _LISTS]
    attempt = attempt_json(_ATTEMPT)
    town = (
        "`tt status` prints `name`, `id`, `root`, `processes`, `agents`, `inbox` (new messages for the conductor, by "
        "kind), `questions`, `missions`: those not ended, and `backlog`: how many `entries` it has, and in `waiting` "
        "for which role how many wait, and why (`waits`)."
    )
    return "\n\n".join(
        [
            "# JSON",
            f"These commands take `--json`: {_listed(commands)}.",
            f"{_listed(lists)} print an array of objects, the others one object. {_STABLE}",
            _shape("A mission", _MORE, mission, Mission),
            _shape(
                "A work item",
                "In a mission's `items`, and `tt work list`. `tt work show` prints one, with its past in `history`.",
                item,
                Item,
            ),
            _shape("A watch", "In a mission's `watches`: a gate of a change that is being watched.", watch, Watch),
            _shape("An attempt that ended", "In `history` of `tt work show`.", attempt, AttemptRecord),
            _shape("Its report", "In `report` of such an attempt.", attempt["report"], Report),
            _shape("An agent", _OF_AGENTS, asdict(_AGENT), AgentView),
            f"## The town\n\n{town}",
            _shape("A process", "In `processes` of `tt status`.", asdict(_PROCESS), ProcessStatus),
            _shape("A recovery", "`tt recover`.", asdict(Recovery(3, ("helper",), (), (_ATTEMPT.id,))), Recovery),
            _shape(
                "What an agent left behind",
                "`tt reclaim`.",
                asdict(Orphan("item", "helper", _ITEM.key, _ID, _ITEM.title, "backend")),
                Orphan,
            ),
            _shape(
                "An entry of the backlog",
                "`tt backlog list`. `tt backlog add` prints one with `task` and `agent`, where an idle agent has taken "
                "it already; `tt backlog remove` prints its record, `tt backlog claim` the task, and `tt backlog "
                "assign-all` how many were `assigned`.",
                entry_json(_ENTRY, "every agent that may take it is busy"),
                EntryView,
                Entry,
            ),
            _shape("An event", "`tt history` and `tt events`.", line_json(_LINE), Line),
            _shape(
                "A question",
                "In `questions` of `tt status`: what waits for an answer.",
                question_json(_QUESTION),
                Question,
            ),
            _shape(
                "A message",
                "`tt inbox`.",
                shown_json(Shown(_MESSAGE, pending=True, open=True)),
                Message,
                Shown,
            ),
            _shape(
                "A mailbox",
                "`tt inbox --all`: those in which something is pending.",
                waiting_json(
                    MailboxWaiting(
                        "backend", _AGENT.label, "working", {"message": 0, "query": 1, "info": 2, "ack": 0}, []
                    )
                ),
                MailboxWaiting,
            ),
            _shape("A plan", "`tt plan`.", plan, Meta),
            _shape("A task of a plan", "In a plan's `tasks`.", plan["tasks"][1], Task, Stage),
            _shape(
                "A town from outside",
                "`tt towns`.",
                asdict(TownView("4f0c2a", "auth", "/home/ann/auth", "running", 3, 1, 1)),
                TownView,
            ),
            _shape(
                "A saved town",
                "`tt save`.",
                asdict(Saved("/home/ann/town.zip", 48213, 1, 4, 3, 1, ("agent_clis.scribe.env",))),
                Saved,
            ),
            _shape(
                "A restored town",
                "`tt restore`.",
                asdict(Restored("auth", "/home/ann/auth", 1000.0, 1, 4, 3, 1)),
                Restored,
            ),
            _shape("A migration", "`tt migrate`.", asdict(Migrated(False, 12, 1, 4, 2)), Migrated),
            _shape("A reset", "`tt reset`.", asdict(Reset(False, 3, 2, 1, 1, 4)), Reset),
            _shape(
                "A setting",
                "`tt config`; `tt config KEY` prints one. `tt config KEY VALUE` prints `key`, `value`, `was` (what the "
                "file said before) and `file`.",
                asdict(Setting("policy.max_attempts", 5, "auth/tinytown.toml")),
                Setting,
            ),
            _shape(
                "A finding", f"`tt doctor`. {first(Finding.__doc__)}", asdict(Finding("git", "ok", "2.39.5")), Finding
            ),
        ]
    )


def _listed(commands: Sequence[str]) -> str:
    return ", ".join(f"`{words}`" for words in commands)


def _shape(name: str, where: str, sample: Mapping[str, Any], *classes: type) -> str:
    """A section about one kind of object: its keys, an example, and a sentence for each."""
    said = {**{key: text for cls in classes for key, text in sentences(cls).items()}, **_WORDS[name]}
    rows = [(f"`{key}`", _shown(value), plain(said[key])) for key, value in sample.items()]
    return f"## {name}\n\n{where}\n\n" + table(("key", "example", "meaning"), rows)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if len(text) <= 60 else ("an object" if isinstance(value, dict) else "a list")
