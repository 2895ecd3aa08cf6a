"""The preview of a mission on the screen, and as a graph for Mermaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from tinytown import keys
from tinytown.cli.edges import stated
from tinytown.cli.mermaid import label
from tinytown.cli.render import icon, money, plural, safe
from tinytown.engine.start.preview import Preview, PreviewBase, PreviewItem, short
from tinytown.missions import mentions
from tinytown.missions.mentions import Unread
from tinytown.missions.records.item import Item
from tinytown.missions.staffing import RoleStaffing

#: Most characters of a title in a node of the graph.
_TITLE = 60
#: Most sentences about mentions that are not read as dependencies.
_MENTIONS = 10


def show(seen: Preview) -> None:
    """Print a preview."""
    mission = seen.draft.mission
    repo = mission.repo
    click.echo(f"📋 Plan: {plural(len(seen.items), 'work item')} for {repo}, base {mission.base} (nothing is started)")
    wave = 0
    for one in seen.items_by_wave():
        if one.wave != wave:
            wave = one.wave
            click.echo(f"🌊 Wave {wave}: {plural(len(seen.waves[wave - 1]), 'item')}")
        _show_item(one, repo)
    for item in seen.skipped:
        click.echo(f"{icon('skipped')} Skipped: {_name(item, repo)}: {safe(item.title)}")
    path = " → ".join(short(key, repo) for key in seen.critical_path)
    click.echo(f"🎯 Critical path: {path} ({len(seen.critical_path)} of {plural(len(seen.items), 'item')})")
    click.echo(f"👷 Roles: {'' if seen.running else 'the town is stopped, so no agent is running'}".rstrip())
    for role in seen.roles:
        click.echo(f"   {role.role}: {plural(role.items, 'item')}, {_who(role)}")
    policy = mission.policy
    if policy.reviewer_required:
        who = ", ".join(seen.reviewers) or "nobody; run `tt spawn reviewer`"
        click.echo(f"   review: {plural(len(seen.items), 'item')}, {who}")
    limits = [f"{policy.max_parallel_items} at once"]
    if policy.budget_usd is not None:
        limits.append(f"pause at {money(policy.budget_usd)}")
    if policy.budget_tokens is not None:
        limits.append(f"pause at {policy.budget_tokens:,} tokens")
    click.echo(f"📏 Limits: {', '.join(limits)}")
    for base in seen.bases:
        click.echo(f"🧪 {_base(base, repo)}")
    for error in seen.refusals:
        click.echo(f"🚫 Starting would be refused: {safe(error.message)}")
        click.echo(f"   {safe(error.remedy)}")
    show_notes(seen.draft.remarks, seen.draft.graph.unread, keys.names(seen.draft.graph.order))


def show_notes(remarks: Sequence[str], unread: Sequence[Unread], names: Mapping[str, str]) -> None:
    """Print to stderr what whoever starts a mission should know; ``names`` are what people call its issues."""
    for remark in remarks:
        click.echo(f"note: {safe(remark)}", err=True)
    said = mentions.sentences(unread, names)
    for sentence in said[:_MENTIONS]:
        click.echo(f"note: {safe(sentence)}", err=True)
    if (more := len(said) - _MENTIONS) > 0:
        click.echo(f"note: and {more} more like this: `tt mission plan --json` lists them all", err=True)


def _show_item(one: PreviewItem, repo: str) -> None:
    item = one.item
    # A person chose the role: nobody else takes it.
    role = f"{item.role} only" if item.role_named else item.role
    traits = [role, item.kind, *([f"priority {item.priority}"] if item.priority else [])]
    mark = " 🎯" if one.critical else ""
    click.echo(f"   Issue {_name(item, repo)}: {safe(item.title)} — {', '.join(traits)}{mark}")
    for edge in item.edges:
        click.echo(f"      after {short(edge.on, repo)} ({stated(edge, quoted=True)})")
    for edge in item.external:
        state = "open" if edge.on in item.blockers else "completed"
        click.echo(f"      after {short(edge.on, repo)}, outside the mission, {state} ({stated(edge, quoted=True)})")
    if one.waiting is not None and one.waiting.reason != "dependencies":
        click.echo(f"      ⏳ would wait: {one.waiting.reason.replace('_', ' ')} ({safe(one.waiting.remedy)})")


def _base(one: PreviewBase, repo: str) -> str:
    where = one.base if one.repo == repo else f"{one.base} of {one.repo}"
    if one.known is None:
        return f"Base check: the checks have not run on the current {where} yet; starting runs them first"
    commit = one.known.commit[:7]
    if one.known.passed:
        return f"Base check: the checks pass on {where} ({commit})"
    return f"Base check: the checks failed on {where} ({commit}): {safe(one.known.why)}; starting runs them again"


def _name(item: Item, repo: str) -> str:
    return short(item.key, repo)


def _who(role: RoleStaffing) -> str:
    if not role.workers:
        return f"nobody; {role.remedy}"
    return ", ".join(
        w.name + (f" as {w.role}" if w.role != role.role else "") + ("" if w.idle else " (busy)") for w in role.workers
    )


# -- Mermaid -------------------------------------------------------------------------------------


def mermaid(seen: Preview) -> str:
    """The graph in Mermaid's language: what comes first above, issues outside the mission round and dashed."""
    repo = seen.draft.mission.repo
    names = {one.item.key: f"n{number}" for number, one in enumerate(seen.items, start=1)}
    lines = ["graph TD"]
    for one in seen.items:
        title = label(one.item.title, limit=_TITLE)
        lines.append(f'    {names[one.item.key]}["{label(_name(one.item, repo))} {title}"]')
    outside: dict[str, str] = {}
    for one in seen.items:
        for edge in one.item.external:
            if edge.on not in outside:
                outside[edge.on] = f"x{len(outside) + 1}"
                lines.append(f'    {outside[edge.on]}(["{label(short(edge.on, repo))}"])')
    for one in seen.items:
        here = names[one.item.key]
        lines += [f'    {names[edge.on]} -->|"{stated(edge)}"| {here}' for edge in one.item.edges]
        lines += [f'    {outside[edge.on]} -.->|"{stated(edge)}"| {here}' for edge in one.item.external]
    lines.append("    classDef critical stroke-width:3px")
    lines.append(f"    class {','.join(names[key] for key in seen.critical_path)} critical")
    return "\n".join(lines)
