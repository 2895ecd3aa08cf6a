"""How the town stands, for the AI conductor."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable

from tinytown.engine.conductor import questions
from tinytown.engine.context import Context
from tinytown.engine.operate.present import AgentView, agent_views
from tinytown.engine.views.backlog import some_left
from tinytown.engine.views.mailbox import mailbox
from tinytown.engine.views.missions import Summary, Unreadable, each, summary
from tinytown.host import confinement
from tinytown.missions import conducting
from tinytown.missions.conducting import Asked, Left, Letter, Line, Member, Standing
from tinytown.missions.roles import RoleBook
from tinytown.state import tasks as task_records
from tinytown.state.asked import active
from tinytown.state.mail import CONDUCTOR


def text(context: Context, commands: str, *, news: str = "") -> str:
    """What the conductor shall know; ``commands`` lists those that it may use, ``news`` is what became of the plan."""
    return conducting.compose(standing(context, news=news), commands, secrets.token_hex(8))


def standing(context: Context, *, news: str = "") -> Standing:
    """How the town stands, in few steps: of each kind no more is read than is shown."""
    town, box = context.town, mailbox(context, CONDUCTOR)
    agents, live = agent_views(context), active(context.store)
    plan = task_records.plan_mission(context.store)
    others = [one for one in live if one != plan]
    left, waiting = some_left(context, conducting.BACKLOG)
    asked, unread = box.asked, [one.message for one in box.messages if one.pending and not one.open]
    return Standing(
        town=town.name,
        root=str(town.root),
        forge=f"{context.forge.kind} {context.forge.repo}",
        warnings=[f"{one.said}; {one.remedy}" for one in confinement.known(town)],
        roles=RoleBook(town.settings.roles).names,
        agents=[_member(one) for one in agents[: conducting.AGENTS]],
        agents_total=len(agents),
        # The newest: of an older one that needs somebody there is a question.
        missions=_lines(context, others[-conducting.MISSIONS :]),
        missions_total=len(others),
        plan=next(iter(_lines(context, [plan] if plan is not None else [])), None),
        questions=[_asked(one) for one in asked[: conducting.QUESTIONS]],
        questions_total=len(asked),
        messages=[Letter(one.sender, one.kind, one.text) for one in unread[: conducting.MESSAGES]],
        messages_total=Counter(one.kind for one in unread),
        backlog=[Left(one.id, one.title, one.tags) for one in left],
        backlog_total=waiting["entries"],
        backlog_waits=[one["waits"] for one in waiting["waiting"]],
        news=news,
    )


def _member(one: AgentView) -> Member:
    return Member(one.name, one.label, one.role, one.cli, one.state, one.item, one.why, one.pending)


def _lines(context: Context, missions: Iterable[str]) -> list[Line]:
    return [
        Line(one.id[:8], "unreadable", one.why, {}) if isinstance(one, Unreadable) else _line(one)
        for one in each(missions, lambda mission: summary(context, mission))
    ]


def _line(found: Summary) -> Line:
    head = found.mission
    titles = list(found.titles.values())
    return Line(
        head.short, head.state.value, head.reason or head.trouble, found.counts, titles, by_hand=head.tasks == "hand"
    )


def _asked(question: questions.Question) -> Asked:
    who = f"mission {question.mission[:8]}" if question.sender == "dispatcher" else question.sender
    return Asked(who, question.reasons, question.answer)
