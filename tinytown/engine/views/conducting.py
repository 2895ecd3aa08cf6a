"""How the town stands, for the AI conductor."""

from __future__ import annotations

import secrets
from collections import Counter

from tinytown.engine.conductor import questions
from tinytown.engine.context import Context
from tinytown.engine.operate.present import AgentView, agent_views
from tinytown.engine.views.mailbox import mailbox
from tinytown.engine.views.missions import summary
from tinytown.host import confinement
from tinytown.missions import conducting
from tinytown.missions.conducting import Asked, Letter, Line, Member, Standing
from tinytown.missions.roles import RoleBook
from tinytown.state import tasks as task_records
from tinytown.state.mail import CONDUCTOR


def text(context: Context, commands: str, *, news: str = "") -> str:
    """What the conductor shall know; ``commands`` lists those that it may use, ``news`` is what became of the plan."""
    return conducting.compose(standing(context, news=news), commands, secrets.token_hex(8))


def standing(context: Context, *, news: str = "") -> Standing:
    """How the town stands, in few steps: of each kind no more is read than is shown."""
    town, box = context.town, mailbox(context, CONDUCTOR, everything=False)
    agents, live = agent_views(context), context.store.mission_ids(live=True)
    plan = task_records.plan_mission(context.store)
    others = [one for one in live if one != plan]
    asked, unread = box.asked, [one for one in box.new if one.id not in box.open and one.id not in box.settled]
    return Standing(
        town=town.name,
        root=str(town.root),
        forge=f"{context.forge.kind} {context.forge.repo}",
        warnings=[f"{one.said}; {one.remedy}" for one in confinement.known(town)],
        roles=RoleBook(town.settings.roles).names,
        agents=[_member(one) for one in agents[: conducting.AGENTS]],
        agents_total=len(agents),
        # The newest: of an older one that needs somebody there is a question.
        missions=[_line(context, one) for one in others[-conducting.MISSIONS :]],
        missions_total=len(others),
        plan=_line(context, plan) if plan is not None else None,
        questions=[_asked(one) for one in asked[: conducting.QUESTIONS]],
        questions_total=len(asked),
        messages=[Letter(one.sender, one.kind, one.text) for one in unread[-conducting.MESSAGES :]],
        messages_total=Counter(one.kind for one in unread),
        news=news,
    )


def _member(one: AgentView) -> Member:
    return Member(one.name, one.label, one.role, one.cli, one.state, one.item, one.why)


def _line(context: Context, mission: str) -> Line:
    found = summary(context, mission)
    head = found.mission
    titles = list(found.titles.values())
    return Line(
        head.short, head.state.value, head.reason or head.trouble, found.counts, titles, by_hand=head.tasks == "hand"
    )


def _asked(question: questions.Question) -> Asked:
    who = f"mission {question.mission[:8]}" if question.sender == "dispatcher" else question.sender
    return Asked(who, question.reasons, question.answer)
