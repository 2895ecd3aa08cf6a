"""A mission printed once; ``live`` shows it as it goes on."""

from __future__ import annotations

import click

from tinytown.cli import columns, limits
from tinytown.cli.edges import stated
from tinytown.cli.history import told
from tinytown.cli.render import ago, due, icon, money, plural, safe
from tinytown.engine.conductor.questions import of_mission
from tinytown.engine.context import Context
from tinytown.engine.views import history
from tinytown.engine.views.missions import MissionView, Watch
from tinytown.missions import gates
from tinytown.missions.evidence import watching
from tinytown.missions.records.evidence import Watched
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState
from tinytown.state import duties

_HINTS = {
    MissionState.PAUSED: "run `tt mission resume {id}` to continue",
    MissionState.FAILED: "the work is kept; fix the cause, then start a new one with `tt mission start`",
    MissionState.BLOCKED: 'see `tt inbox conductor` for what is needed; answer with `tt mission note {id} "…"`',
}

#: Events that `--dispatcher` shows.
_RECENT = 5


def show(view: MissionView, *, work: bool, watch: bool) -> None:
    """Print a mission."""
    mission = view.mission
    click.echo(f"{icon(mission.state.value)} Mission {mission.id}: {mission.state.value}")
    asked = of_mission(mission)
    if mission.reason and (asked is None or mission.reason not in asked.reasons):
        click.echo(f"   {safe(mission.reason)}")
    if mission.trouble and not mission.state.ended:
        click.echo(f"   🆘 {safe(mission.trouble)}")
    if view.limited:
        click.echo(f"   🛑 {view.limited}: it goes on at midnight UTC, or with `{view.today['answer']}`")
    if asked is not None:
        click.echo(f"   🆘 asked {ago(view.now - asked.since)} ago, answer with `{asked.answer}`:")
        for reason in asked.reasons:
            click.echo(f"      - {safe(reason)}")
        if view.unattended:
            click.echo(f"      {safe(view.unattended)}")
    elif mission.state in _HINTS and not mission.reason.startswith("budget"):  # That reason says itself what to do.
        click.echo(f"   {_HINTS[mission.state].format(id=mission.short)}")
    click.echo(f"📋 Objectives: {plural(len(mission.objectives), 'task' if mission.tasks else 'issue')}")
    _show_items(view, work=work)
    _show_costs(view)
    if watch:
        click.echo(watching.heading(len(view.watches)))
        for entry in view.watches:
            click.echo(f"   {_watch_line(entry, view.now)}")


def _show_costs(view: MissionView) -> None:
    mission = view.mission
    cap = mission.policy.budget_usd
    if mission.spent_usd or cap is not None:
        click.echo(f"💰 Cost: {money(mission.spent_usd)}" + (f" of {money(cap)}" if cap is not None else ""))
    if (most := mission.policy.budget_tokens) is not None:
        click.echo(f"🔢 Tokens: {mission.spent_tokens:,} of {most:,}")
    if not mission.state.ended and limits.limited(view.today):
        click.echo(f"   all missions today: {limits.used(view.today)}")


def _show_items(view: MissionView, *, work: bool) -> None:
    counts = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in view.counts().items())
    click.echo(f"📦 Work items: {view.size} ({counts})")
    names = view.names()
    for item in view.items:
        name = names[item.key]
        click.echo(f"   {icon(item.state.value)} {item.noun} {name}: {safe(item.title)}{_what(item, view)}")
        if item.news and not item.state.settled:
            click.echo(f"      ✏️  {safe(item.news)}")
        if work:
            _details(item)
    if more := view.size - len(view.items):
        click.echo(f"   … and {more} more; see them with `tt mission status {view.mission.short} --all`")


def _watch_line(watch: Watch, now: float) -> str:
    kinds = {"check": "CI check", "publish": "publishing"}
    sign = {"failing": "⚠️ ", "running": "🔄", "waiting": "⏳"}[watch.state]
    name = f"PR #{watch.change}" if watch.change.isdigit() else f"{watch.change}"
    if watch.seen:
        one = Watched(name=watch.kind, state=watch.state, why=watch.text, whom=watch.whom, until=watch.until)
        return watching.line(safe(name), one, now=now)
    text = f"{sign} {safe(name)} {kinds.get(watch.kind, watch.kind)}: {watch.state}"
    since = f", for {ago(now - watch.since)}" if watch.since else ""
    again = f"; retrying in {max(0, round(watch.until - now))}s" if watch.until else ""
    return f"{text} ({safe(watch.text)}{since}{again})"


def _what(item: Item, view: MissionView) -> str:
    live, mission, now = item.attempt, view.mission, view.now
    if live is not None and live.claimed:
        doing = live.purpose.value
        held = f", interrupted: `tt resume {live.agent}`" if live.agent in view.interrupted else ""
        return f" — {doing} by {live.agent} for {ago(now - (live.claimed_at or now))}{held}"
    if live is not None:
        return f" — sent to {live.queue} {ago(now - live.sent_at)} ago"
    if item.waiting is not None:
        reason = item.waiting.reason.value.replace("_", " ")
        # What the whole mission waits for has been said above.
        said = item.waiting.remedy if item.waiting.remedy != mission.reason else ""
        why = f"{reason}{f': {safe(said)}' if said else ''}{due(item.waiting.until, now)}"
        return f" — {item.state.value.replace('_', ' ')}, waits {ago(now - item.waiting.since)} ({why})"
    return (
        f" — {item.state.value.replace('_', ' ')}" + (f" by {item.agent}" if item.agent else "") + _left(item, mission)
    )


def _left(item: Item, mission: Mission) -> str:
    """What people have to merge; once a mission has ended nobody looks whether they did."""
    if not gates.is_left_to_people(item, mission.policy):
        return ""
    seen = f", as last seen at {columns.moment(mission.finished_at)}" if mission.finished_at else ""
    return f"; yours to merge{seen}: {safe(item.change_url)}"


def _details(item: Item) -> None:
    edges = ", ".join(f"{edge.on} ({stated(edge)})" for edge in (*item.edges, *item.external))
    rows = [
        ("key", item.key),
        ("role", f"{item.role}, {item.kind}"),
        ("after", edges),
        ("attempts", f"{item.attempts}, {plural(item.fix_rounds, 'fix round')}" if item.attempts else ""),
        ("branch", item.branch if item.head else ""),
        ("page", item.change_url),
        ("checks", f"passed at {item.checked[:10]}" if item.checked and item.checked == item.head else ""),
        ("review", f"approved by {item.approved_by}" if item.approved and item.approved == item.subject else ""),
        ("merged", item.merged[:10] if item.merged else ""),
        ("cost", money(item.cost_usd) if item.cost_usd else ""),
    ]
    for name, value in rows:
        if value:
            click.echo(f"        {name:<9}{safe(value)}")


def _show_rules(view: MissionView) -> None:
    mission, policy = view.mission, view.mission.policy
    rules = [
        f"{policy.max_parallel_items} at once",
        "each change reviewed" if policy.reviewer_required else "no review",
        "merged by itself" if policy.auto_merge else "merged by hand",
        f"{plural(policy.required_approvals, 'approval')} by people" if policy.required_approvals else "",
        f"watched every {ago(policy.watch_interval_secs)}",
    ]
    ended = f", ended {columns.moment(mission.finished_at)}" if mission.finished_at else ""
    click.echo(f"🕑 Started {columns.moment(mission.created_at)}{ended}")
    click.echo(f"⚙️  Policy: {', '.join(filter(None, rules))}")


def _show_recent(context: Context, view: MissionView) -> None:
    lines = history.newest(context, _RECENT, mission=view.mission.id)
    if lines:
        click.echo("📜 Last:")
    for line in lines:
        click.echo(f"   {told(history.line_json(line))}")


def show_dispatcher(context: Context, view: MissionView) -> None:
    """Print the dispatcher's heartbeat and the help that is asked for."""
    ticks = duties.ticks(context.store)
    last = ticks.get("dispatch")
    if last is None:
        click.echo("💓 Dispatcher: no tick yet; run `tt doctor` to check the clock")
    else:
        age = max(0.0, view.now - last)
        late = age > 3 * context.town.settings.timing.tick_secs
        click.echo(f"💓 Dispatcher: last tick {ago(age)} ago" + ("; overdue, run `tt doctor`" if late else ""))
    _show_rules(view)
    _show_recent(context, view)
    asked = view.mission.help
    if asked is None:
        click.echo("🆘 Help: none asked")
        return
    click.echo(f"🆘 Help: asked {plural(asked.asked, 'time')}, first {ago(view.now - asked.since)} ago")
    for reason in asked.reasons:
        click.echo(f"   {safe(reason)}")
    click.echo(f'   Answer with `tt mission note {view.mission.short} "…"`')
