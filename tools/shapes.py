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
from tinytown.engine.operate.hosts import CliView, HostView
from tinytown.engine.operate.present import AgentView
from tinytown.engine.operate.recovery import Orphan, Recovery
from tinytown.engine.upkeep.gc import Cleared, Part, Stays
from tinytown.engine.upkeep.migrate import Migrated
from tinytown.engine.upkeep.reset import Reset
from tinytown.engine.upkeep.restore import Restored
from tinytown.engine.upkeep.save import Saved
from tinytown.engine.views.backlog import EntryView
from tinytown.engine.views.history import Line, line_json
from tinytown.engine.views.items import attempt_json
from tinytown.engine.views.limits import today_json
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
from tinytown.missions.spending import Costs, Day
from tinytown.plans.model import Meta, Task
from tinytown.plans.reader import read
from tinytown.plans.stages import Stage
from tinytown.plans.view import plan_json
from tinytown.settings import parse
from tinytown.settings.known import Setting
from tools.key_words import WORDS
from tools.writing import first, plain, sentences, table

_STABLE = (
    "Keys are stable: new ones may come, none changes its meaning. Times are seconds since 1970, those of missions by "
    "the server's clock; money is US dollars."
)


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
_HOST = HostView(
    name="barn",
    state="live",
    here=False,
    home=False,
    release="1.4.0",
    python="3.12.1",
    address="barn.example.org",
    root="/home/ann/town",
    joined_at=900.0,
    started_at=950.0,
    seen_until=1065.0,
    agents=2,
    working=1,
    max_agents=4,
    clis=(CliView("claude", True), CliView("codex", None)),
    sandbox="auto",
    weak=(),
    clock_ahead=0.1,
)
_DAY = today_json(
    parse({"limits": {"usd_per_day": 20.0}}, source="an example"),
    Day(number=20_500, usd=1.25, tokens=48_000, runs=3),
    Costs(),
)
_CLEARED = Cleared(
    True,
    [
        Part(
            "refs",
            "ref",
            12,
            0,
            [Stays("auth.git: refs/tinytown/salvage/0a1b2c3d/local-auth-2/1", "no base holds its content")],
        )
    ],
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
    {"list", "doctor", "inbox", "config", "towns", "spawn", "prune", "reclaim", "history", "events", "metrics", "hosts"}
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
    mission = mission_json(MissionView(_MISSION, [_ITEM], now=1060.0, watches=[_WATCH], today=_DAY))
    (item,), (watch,) = mission.pop("items"), mission.pop("watches")
    lists = [words for words in commands if words.rpartition(" ")[2] in _LISTS]
    attempt = attempt_json(_ATTEMPT)
    town = (
        "`tt status` prints `name`, `id`, `root`, `host` (what the town calls this one), `processes`, `agents`, "
        "`inbox` (new messages for the conductor, by kind), `questions`, `limits`, `missions`: "
        "those not ended, and `backlog`: how many `entries` it has, and in "
        "`waiting` for which role how many wait, and why (`waits`)."
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
            _shape("A day", "`tt limits`, `limits` of `tt status` and `today` of a mission.", _DAY),
            _shape("A host", "`tt hosts`.", asdict(_HOST), HostView),
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
            _shape("What was cleared away", "`tt gc`.", asdict(_CLEARED), Cleared),
            _shape("A kind of that", "In `parts` of it.", asdict(_CLEARED.parts[0]), Part),
            _shape("What stays", "In `stays` of such a kind.", asdict(_CLEARED.parts[0].stays[0]), Stays),
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
    said = {**{key: text for cls in classes for key, text in sentences(cls).items()}, **WORDS[name]}
    rows = [(f"`{key}`", _shown(value), plain(said[key])) for key, value in sample.items()]
    return f"## {name}\n\n{where}\n\n" + table(("key", "example", "meaning"), rows)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if len(text) <= 60 else ("an object" if isinstance(value, dict) else "a list")
