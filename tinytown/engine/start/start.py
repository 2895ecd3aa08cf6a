"""Start a mission: read the issues, compile, save, send. Nothing is saved that does not compile."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import keys
from tinytown.canvases.canvas import Canvas, compile_canvas
from tinytown.engine import hubs
from tinytown.engine.context import Context, event
from tinytown.engine.start import base_check, strangers
from tinytown.engine.start.crew import coming_crew
from tinytown.engine.start.documents import read_documents
from tinytown.engine.start.order import Order
from tinytown.engine.start.prompts import read_prompts
from tinytown.engine.watch.done import did_this, done_by
from tinytown.errors import (
    ConfigurationError,
    ConflictError,
    HubAwayError,
    NotFoundError,
    NotSentError,
    StateError,
    TinytownError,
)
from tinytown.keys import branch_name
from tinytown.missions import manifest as manifests
from tinytown.missions import mission_state, staffing
from tinytown.missions.graph import WorkGraph, compile_items
from tinytown.missions.manifest import Manifest
from tinytown.missions.mentions import Unread
from tinytown.missions.outside import OutsideState, first_of, refusals
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.roles import RoleBook
from tinytown.missions.states import ItemState, MissionState
from tinytown.settings import Settings


@dataclass(frozen=True)
class Started:
    """A mission that was started, and remarks for its starter."""

    mission: Mission
    items: Sequence[Item]
    remarks: Sequence[str]
    #: What the issues mention of each other and is not read as a dependency.
    unread: Sequence[Unread] = ()


@dataclass(frozen=True)
class Draft:
    """A mission that could be started: everything decided, nothing saved."""

    mission: Mission
    items: Sequence[Item]
    issues: Sequence[Issue]
    graph: WorkGraph
    canvas: Canvas
    remarks: Sequence[str]
    #: Texts of the documents it names, by their paths.
    docs: Mapping[str, str]
    #: Prompts of the roles.
    prompts: Mapping[str, str]
    #: Why the repository is not fit to start it now; only a rehearsal gets this far then.
    unfit: StateError | None = None
    #: Dependencies that can never settle, for which a start is refused; only a rehearsal gets this far then.
    dead: Sequence[TinytownError] = ()


@dataclass(frozen=True)
class Rehearsal:
    """How a preview is prepared: an unfit repository is no obstacle, nor is a town that does not run."""

    now: float
    #: Whether the town's records can be read.
    records: bool


def start(context: Context, order: Order, *, observer: base_check.Observer | None = None) -> Started:
    """Start a mission; ``observer`` is told while the checks run on a base.

    Raises:
        ConfigurationError: an option, the manifest, or a named role is wrong.
        NotFoundError: an issue does not exist, or one that it depends on.
        StateError: a cycle, an unfit repository, an issue that is closed, done or in another live mission, or a
            dependency that was closed as not planned.
        BaseFailsError: the checks fail on the base as it is.
        UnreachableError: the forge or the database does not answer; nothing is saved.
        NotSentError: it is saved, and starts with the next tick.
    """
    draft = prepare(context, order)
    issues = {issue.key: issue for issue in draft.issues}
    if unread := strangers.refusals(draft.items, issues, trust=order.trust):
        raise first_of(unread)
    for refusal in done_already(context, draft, order):
        raise refusal
    if order.base_check:
        bases = bases_of(context, draft)
        base_check.require(context.town, bases, tips_of(context, bases), observer or base_check.Nobody())
        draft = _dated(draft, context.store.now())
    if context.town.settings.forge.remote:
        # Whoever works on it speaks to no forge.
        for repo in (draft.mission.repo, *draft.mission.bases):
            context.forge.mirror(repo)
    away = _bring_bases(context, draft.mission)
    lacking = staffing.vacancies(draft.items, coming_crew(context), draft.mission.policy)
    save(context, draft)
    try:
        context.begin(draft.canvas)
    except NotSentError as error:
        raise NotSentError(error.cause, what=f"mission {draft.mission.short}") from error
    return Started(draft.mission, draft.items, (*draft.remarks, *away, *lacking), draft.graph.unread)


def _bring_bases(context: Context, mission: Mission) -> list[str]:
    """Have the hub hold what other machines begin with; gives what to know where it is away."""
    try:
        hubs.publish(context, hubs.bases_of(mission))
    except HubAwayError as error:
        return [f"{error.message}; agents on other machines begin once it answers"]
    return []


def prepare(context: Context, order: Order, *, rehearsal: Rehearsal | None = None) -> Draft:
    """Read, check and compile; changes nothing. The errors are those of ``start``."""
    settings = context.town.settings
    forge = context.forge
    base = _base(settings, forge.repo)
    prompts = read_prompts(context.town)
    docs = read_documents(context.town.root, order.docs)
    if not order.issues:
        raise ConfigurationError("a mission needs at least one issue", remedy="try `tt mission start --issue 1`")
    wanted = dict.fromkeys(forge.issue_key(text) for text in order.issues)
    # Two names may lead to one issue, e.g. after it was transferred.
    issues = list({issue.key: issue for issue in (_open_issue(context, key) for key in wanted)}.values())
    manifest = _manifest(order.manifest)
    graph = compile_items(issues, manifest=manifest, roles=RoleBook(settings.roles), repo=forge.repo)
    repos = dict.fromkeys(keys.parse(key).repo for key in graph.order)
    bases = {repo: _base(settings, repo) for repo in repos}
    unfit, remarks = _fitness(context, bases or {forge.repo: base})
    if unfit is not None and rehearsal is None:
        raise unfit
    now = context.store.now() if rehearsal is None else rehearsal.now
    mission = Mission(
        id=str(uuid.uuid4()),
        state=MissionState.RUNNING,
        objectives=tuple(issue.key for issue in issues),
        forge=forge.kind,
        repo=forge.repo,
        base=base,
        bases={repo: other for repo, other in bases.items() if repo != forge.repo},
        policy=policy(settings, order).evolve(
            checks=any(_checks(settings, repo) for repo in repos), forge_judges=settings.forge.remote
        ),
        workspace=order.workspace,
        docs=tuple(docs),
        created_at=now,
    )
    records = rehearsal is None or rehearsal.records
    outside = _outside(context, graph, repos={repo.lower() for repo in repos}, records=records, remarks=remarks)
    dead = refusals(graph.items(), {issue.key: issue for issue in issues}, outside)
    if dead and rehearsal is None:
        raise first_of(dead)
    items = [_item(mission, item, outside) for item in graph.items()]
    known = {i.key: i for i in items}
    items = [mission_state.explain_pending(i, known, now=now) for i in items]
    live = {i.key: [e.on for e in i.edges] for i in items if i.state is not ItemState.SKIPPED}
    if not live:
        raise StateError("the manifest skips every issue", remedy="keep at least one")
    canvas = compile_canvas(mission.id, live)
    return Draft(mission, items, issues, graph, canvas, (*forge.start_warnings(), *remarks), docs, prompts, unfit, dead)


def _dated(draft: Draft, now: float) -> Draft:
    """It begins now: what its checks took on the base is no time of the mission, nor of any item's wait."""
    items = [
        item if item.waiting is None else item.evolve(waiting=item.waiting.evolve(since=now)) for item in draft.items
    ]
    return dataclasses.replace(draft, mission=draft.mission.evolve(created_at=now), items=items)


def bases_of(context: Context, draft: Draft) -> dict[str, str]:
    """The base branches on which the checks have to pass before it starts, by their repositories."""
    wanted = {item.key: item for item in draft.items if item.state is not ItemState.SKIPPED}
    return base_check.bases_of(context.town, draft.mission, wanted)


def tips_of(context: Context, bases: Mapping[str, str]) -> dict[str, str]:
    """Their newest commits."""
    return {repo: context.forge.base_tip(repo, base) for repo, base in bases.items()}


def done_already(context: Context, draft: Draft, order: Order) -> list[StateError]:
    """Refusals for the issues that a mission of this town has done, unless their text is another one by now."""
    if order.again:
        return []
    wanted = {i.key for i in draft.items if i.state is not ItemState.SKIPPED}
    issues = {issue.key: issue for issue in draft.issues if issue.key in wanted}
    refusals = []
    for key, mission in done_by(context, list(issues)).items():
        if did_this(context, mission, issues[key]):
            refusals.append(
                StateError(
                    f"{key} was already done by mission {mission}",
                    remedy="leave it out, add what is still to do to its text, or start it with `--again`",
                )
            )
    return refusals


def save(context: Context, draft: Draft) -> None:
    """Write the mission; raises ``StateError`` if one of its issues is in another live mission."""
    mission = draft.mission
    change = context.store.change()
    order = {"order": [i.key for i in draft.items]}
    change.create_mission(
        mission,
        draft.items,
        draft.issues,
        graph=order,
        canvas=draft.canvas.stored(),
        docs=draft.docs,
        prompts=draft.prompts,
    )
    change.event(event("mission_started", at=mission.created_at, mission=mission.id, items=len(draft.items)))
    try:
        change.commit()
    except ConflictError:
        for item in draft.items:
            other = context.store.mission_of_issue(item.key)
            if other == mission.id:
                return  # The answer to our own commit was lost, and its repetition refused.
            if other is not None:
                raise StateError(
                    f"{item.key} is already in mission {other}",
                    remedy=f"see `tt mission status --run {other[:8]}`, or end that one with `tt mission stop --force`",
                ) from None
        raise


def policy(settings: Settings, order: Order) -> Policy:
    """The town's policy with the flags of this start."""
    town = settings.policy
    auto_merge = settings.auto_merge
    return Policy(
        max_parallel_items=order.max_parallel or town.max_parallel_items,
        reviewer_required=town.reviewer_required and not order.no_reviewer,
        auto_merge=auto_merge,
        settle_on=town.settle_on or ("merged" if auto_merge else "approved"),
        watch_interval_secs=town.watch_interval_secs,
        max_attempts=town.max_attempts,
        max_fix_rounds=town.max_fix_rounds,
        require_checks=town.require_checks,
        checks_appear_secs=town.checks_appear_secs,
        drafts=town.drafts,
        required_approvals=town.required_approvals,
        budget_usd=order.budget_usd if order.budget_usd is not None else town.budget_usd,
        budget_tokens=order.budget_tokens if order.budget_tokens is not None else town.budget_tokens,
        checks=_checks(settings, ""),
        base_check=order.base_check,
        protected=tuple(town.protected),
        merge_method=town.merge_method or "",
    )


def _base(settings: Settings, repo: str) -> str:
    base = settings.forge.base_of(repo)
    if not base:
        raise ConfigurationError("`forge.base` is not set in tinytown.toml", remedy='add `base = "main"` under [forge]')
    return base


def _checks(settings: Settings, repo: str) -> bool:
    return settings.forge.kind == "local" and bool(settings.forge.checks_of(repo))


def _open_issue(context: Context, key: str) -> Issue:
    issue = context.forge.issue(key)
    if issue.state != "open":
        raise StateError(
            f"{key} is closed as {issue.state.replace('_', ' ')}", remedy="reopen it, or leave it out of the mission"
        )
    return issue


def _manifest(path: Path | None) -> Manifest:
    if path is None:
        return Manifest()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", remedy="name the manifest's file") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{path} cannot be read as text", remedy="make it a readable UTF-8 file") from None
    return manifests.parse(text, source=str(path))


def _fitness(context: Context, bases: Mapping[str, str]) -> tuple[StateError | None, list[str]]:
    """Why a repository is not fit for the mission, if so, and remarks on those that are."""
    remarks: list[str] = []
    try:
        for repo, base in bases.items():
            remarks += context.forge.preflight(base, repo)
    except StateError as error:
        return error, remarks
    return None, remarks


def _outside(
    context: Context, graph: WorkGraph, *, repos: Container[str], records: bool, remarks: list[str]
) -> dict[str, OutsideState]:
    """How the issues outside the mission stand that its items depend on; what this town did is completed.

    Elsewhere than at the town's own forge no news is no news: the item waits, and the issue is looked up again.
    """
    states: dict[str, OutsideState] = {}
    wanted = list(dict.fromkeys(edge.on for item in graph.items() for edge in item.external))
    done = done_by(context, wanted) if records and wanted else {}
    for key in wanted:
        if key in done:
            states[key] = "completed"
            continue
        why = ""
        try:
            states[key] = _state_outside(context, key, repos)
        except TinytownError as error:
            if context.forge_of(key) is context.forge:
                raise
            states[key], why = "unknown", f": {error.message}"
        if states[key] == "unknown":
            remarks.append(f"{key} counts as open until it can be read{why}")
    return states


def _state_outside(context: Context, key: str, repos: Container[str]) -> OutsideState:
    """The state of an issue; ``missing`` where its own repository can be read, and it cannot."""
    forge = context.forge_of(key)
    state: OutsideState = forge.issue_state(key)
    if state == "unknown" and forge is context.forge:
        try:
            forge.issue(key)
        except NotFoundError:
            ours = keys.parse(key).repo.lower() in repos
            return "missing" if forge.kind == keys.LOCAL or ours else "unknown"
    return state


def _item(mission: Mission, item: Item, outside: Mapping[str, OutsideState]) -> Item:
    blockers = tuple(dict.fromkeys(edge.on for edge in item.external if outside[edge.on] != "completed"))
    return item.evolve(branch=branch_name(mission.short, item.key), blockers=blockers)
