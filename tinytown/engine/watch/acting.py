"""Do at a remote forge what a judgement asks for besides a fix round: run a check again, answer, mark, update a branch.

What was done is on record before it is done, or done again without harm: a crash in between costs a look.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tinytown.engine.changes import repo_of
from tinytown.engine.context import Context
from tinytown.errors import TinytownError, UnreachableError
from tinytown.forge.contract import Change, RemoteChanges
from tinytown.git.repository import Git, branch_ref
from tinytown.missions import gates, pull_request
from tinytown.missions.evidence import memory as memories
from tinytown.missions.evidence.judgement import Action, AnswerThread, MarkReady, Rerun, UpdateBranch
from tinytown.missions.records.forge_evidence import Memory
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission

log = logging.getLogger(__name__)

#: A kind of event, and its data.
News = tuple[str, dict[str, str]]


def noted(memory: Memory, actions: Sequence[Action]) -> Memory:
    """The memory of a change for which these are done next; what must not be done twice is in it."""
    for action in actions:
        if isinstance(action, Rerun):
            memory = memories.after_rerun(memory, action.key, action.run)
    return memory


def told(memory: Memory, actions: Sequence[Action]) -> list[News]:
    """What is told of these: a check that is run again costs its item nothing, and is no secret.

    An order that is given once more was told of the first time.
    """
    return [
        ("check_rerun", {"check": action.key[1], "why": action.why})
        for action in actions
        if isinstance(action, Rerun) and action.key not in memory.rerun
    ]


def act(
    context: Context, forge: RemoteChanges, mission: Mission, item: Item, change: Change, actions: Sequence[Action]
) -> None:
    """Do all of it; what the forge refuses is logged, and the judge sees at the next look that it was not done."""
    for action in actions:
        try:
            _do(context, forge, mission, item, change, action)
        except UnreachableError:
            raise
        except TinytownError as error:
            log.warning("%s: %s", item.key, error)


def _do(context: Context, forge: RemoteChanges, mission: Mission, item: Item, change: Change, action: Action) -> None:
    repo = repo_of(item, mission)
    match action:
        case Rerun():
            forge.run_again(repo, action.check, action.workflow_run)
        case AnswerThread():
            words = pull_request.answer_words(item, result=context.store.result(mission.id, item.key))
            about = f"thread/{mission.short}/{action.comment}"
            forge.answer_thread(repo, action.thread, words, about=about, resolve=True)
        case MarkReady():
            forge.mark_ready(repo, change)
        case UpdateBranch():
            pass  # It is another commit, so it is part of what becomes of the item: see ``updated``.


def updated(context: Context, forge: RemoteChanges, mission: Mission, item: Item, change: Change) -> Item | None:
    """The item with its base merged into its change at the forge; ``None`` if that conflicts, or nothing was missing.

    What its reviewer, and a person where one had to, approved is still all that the change does: that goes along.
    """
    if item.attempt is not None or item.head != change.head:
        return None
    new = forge.update_branch(repo_of(item, mission), change)
    if new is None or new == item.head:
        return None
    Git.own(context.forge.mirror(repo_of(item, mission))).run("update-ref", branch_ref(item.branch, ours=True), new)
    along: dict[str, object] = {"approved": new, "told": new} if item.approved == item.head else {}
    if (seen := item.review_warnings) is not None and seen.sha == item.head:
        along |= {"review_warnings": seen.evolve(sha=new)}
    if item.human_approved == item.head or gates.why_person(item):
        along |= {"human_approved": new}  # Nothing is updated before somebody who has to has approved it.
    return item.evolve(head=new, published=new, **along)
