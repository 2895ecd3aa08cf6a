"""How an issue changed after its mission had read it, in words, and which issues to look at again now.

The text in the briefs follows the issue until work on it exists or runs; from then on it stays, and a person decides.
The graph of a mission never changes by itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from tinytown.keys import normalise
from tinytown.missions.pauses import wait
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, WaitReason

#: Most issues of a mission that are looked at in one round.
LOOKS = 50
#: Dependencies that a sentence names.
_NAMES = 5


def turn(keys: Sequence[str], *, now: float, every: float, tick: float) -> Sequence[str]:
    """Those of ``keys`` whose turn it is in this round: each once in ``every`` seconds, 50 a round at most."""
    rounds = max(math.floor(every / tick), math.ceil(len(keys) / LOOKS), 1)
    return keys[int(now // tick) % rounds :: rounds]


def watched(item: Item) -> bool:
    """Whether a change of its issue still matters to this item."""
    return not item.state.settled and item.merged is None


def follows(item: Item) -> bool:
    """Whether the item's next brief may have a new text: no work on it exists or runs."""
    idle = item.state in (ItemState.PENDING, ItemState.READY, ItemState.FAILED, ItemState.CANCELLED)
    return idle and item.attempt is None and item.head is None


def fingerprint(issue: Issue) -> str:
    """A value that is equal for two readings of an issue which differ in nothing that matters here."""
    said = [issue.title, issue.body, issue.state, *issue.blocked_by, *(f"{c.author}\n{c.body}" for c in issue.comments)]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]


def takeable(old: Issue, new: Issue) -> Issue:
    """``new`` as a brief may have it without a person's consent.

    The title and the text of somebody without write access stay as they were when the mission was started.
    """
    if new.trusted:
        return new
    return new.evolve(title=old.title, body=old.body, shifts=old.shifts)


def same_text(old: Issue, new: Issue) -> bool:
    """Whether a brief would say the same of both."""
    return (old.title, old.body, old.comments) == (new.title, new.body, new.comments)


def changes(old: Issue, new: Issue) -> list[str]:
    """What is different, in words."""
    found = []
    if old.title != new.title:
        found.append("a new title")
    if old.body != new.body:
        found.append("a new text")
    known = {(c.author, c.at): c.body for c in old.comments}
    fresh = sum(1 for c in new.comments if (c.author, c.at) not in known)
    if fresh:
        found.append("a new comment" if fresh == 1 else f"{fresh} new comments")
    elif old.comments != new.comments:
        found.append("changed comments")
    return found


def moved_dependencies(old: Issue, new: Issue) -> list[str]:
    """How what an issue states about its dependencies changed."""
    before, after = _depends(old), _depends(new)
    more = [after[key] for key in after if key not in before]
    less = [before[key] for key in before if key not in after]
    found = []
    if more:
        found.append(f"it now depends on {_few(more)}")
    if less:
        found.append(f"it no longer depends on {_few(less)}")
    return found


def _depends(issue: Issue) -> dict[str, str]:
    # Loaded by who reads issues: most processes of a town never do.
    from tinytown.dependencies.sections import parse_dependencies

    repo = issue.key.rpartition("#")[0]
    stated = [*issue.blocked_by, *(str(one) for one in parse_dependencies(issue.body, repo))]
    return {normalise(key): key for key in stated}


def _few(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_NAMES]) + (f" and {len(keys) - _NAMES} more" if len(keys) > _NAMES else "")


def tell(old: Issue, new: Issue, item: Item, *, run: str) -> str:
    """One sentence about what changed since ``old``, and the remedy; empty if nothing did.

    ``run`` is the mission's short id.
    """
    what = changes(old, new)
    parts = []
    if what:
        parts.append(f"has {_listed(what)}: {_consequence(old, new, item, run)}")
    if moved := moved_dependencies(old, new):
        parts.append(
            f"{' and '.join(moved)}, but the plan stays: to change it, `tt mission stop {run} --force` and start again"
        )
    if new.state != old.state:
        parts.append(
            "was reopened"
            if new.state == "open"
            else f"was closed as {new.state.replace('_', ' ')}, but stays in the plan: reopen it, "
            f'or end it with `tt mission note {run} "cancel {item.key}"`'
        )
    return "; ".join(parts)


def lost(why: str, item: Item, *, run: str, holds: bool) -> str:
    """One sentence about an issue that is gone; ``holds``: nothing more is done for it."""
    said = f"can no longer be read ({why})"
    if holds:
        return f"{said}, {_held(item, run)}"
    return f"{said}, but stays in the plan: end it with {_cancel(item, run)} if it is no longer wanted"


def transferred(to: str, item: Item, *, run: str) -> str:
    """One sentence about an issue that is in another repository by now."""
    return f"was moved to {to}, {_held(item, run)}"


def held(item: Item, said: str, *, now: float) -> Item:
    """The item for which nothing more is done, for what is said of its issue, until a person says so."""
    new = item.evolve(held=f"its issue {said}")
    settled = item.state is ItemState.PENDING or item.state.settled
    return new if item.attempt is not None or settled else wait(new, WaitReason.NEEDS_HELP, now=now, remedy=new.held)


def let_go(item: Item) -> Item:
    """The item goes on if it was held for its issue."""
    if not item.held:
        return item
    waits = item.waiting is not None and item.waiting.remedy == item.held
    return item.evolve(held="", waiting=None if waits else item.waiting)


def _held(item: Item, run: str) -> str:
    go_on = f"`tt mission retry {run} {item.typed}`"
    return f"so nothing more is done for it: go on all the same with {go_on}, or end it with {_cancel(item, run)}"


def _cancel(item: Item, run: str) -> str:
    return f'`tt mission note {run} "cancel {item.key}"`'


def _consequence(old: Issue, new: Issue, item: Item, run: str) -> str:
    reread = f'`tt mission note {run} "reread {item.key}"` puts the changes into the next brief'
    if not follows(item):
        return f"agents continue with the older version; {reread}"
    if not same_text(takeable(old, new), new):
        return f"somebody without write access may have edited it, so the original text is used; {reread}"
    return "the next brief will include it"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
