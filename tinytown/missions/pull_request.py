"""What tinytown writes of a change at a remote forge: the body of its pull request, and what its reviewer said."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.missions.fences import calm
from tinytown.missions.records.attempt import AttemptRecord
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Outcome, Purpose

#: Most characters of an agent's own words.
LIMIT = 6000


def body(item: Item, mission: Mission, *, attempts: Sequence[AttemptRecord]) -> str:
    """Markdown, without the issue that it closes: what was done, what is proven, what it cost, and by whom.

    ``attempts`` are those at the item that have ended, the oldest first.
    """
    done = _cut(_done(attempts)) or f"{calm(item.title)}."
    facts = [f"- mission `{mission.short}`, {item.name} by {_named(item.authors) or 'an agent'}"]
    if item.approved and item.approved == item.head:
        facts.append(f"- approved by {calm(item.approved_by or 'the reviewer')} at `{item.approved[:10]}`")
    if item.fix_rounds:
        facts.append(f"- fix rounds: {item.fix_rounds}")
    if item.cost_usd:
        facts.append(f"- cost so far: ${item.cost_usd:.2f}")
    return f"### What was done\n\n{done}\n\n### How it stands\n\n" + "\n".join(facts)


def _done(attempts: Sequence[AttemptRecord]) -> str:
    """What the agents say of the newest work, and of the fix rounds after it."""
    said: list[str] = []
    rounds = 0
    for one in attempts:
        if one.report.outcome is not Outcome.SUCCEEDED or not one.report.result.strip():
            continue
        if one.purpose is Purpose.WORK:
            said, rounds = [one.report.result.strip()], 0
        elif one.purpose is Purpose.FIX:
            rounds += 1
            said.append(f"**Fix round {rounds}:** {one.report.result.strip()}")
    return "\n\n".join(said)


def name_of(change: str) -> str:
    """What people call it: ``PR #42``."""
    return f"PR #{change}"


def reviews(records: Sequence[AttemptRecord]) -> list[AttemptRecord]:
    """The reviews with a verdict on a commit, the oldest first: each is told at the forge once."""
    found = [one for one in records if one.purpose is Purpose.REVIEW and one.report.verdict is not None]
    return sorted(found, key=lambda one: one.number)


def review_words(record: AttemptRecord) -> str:
    """What the reviewer said, as a comment."""
    verdict = record.report.verdict
    assert verdict is not None
    said = "approved" if verdict.passed else "changes requested to"
    words = _cut("\n\n".join(filter(None, (verdict.why, verdict.details))))
    who = calm(record.agent or "an agent")
    return f"**Reviewed by `{who}` for tinytown: {said} `{verdict.sha[:10]}`**\n\n{words}".rstrip()


def answer_words(item: Item, *, result: str) -> str:
    """What tinytown answers in a conversation once a fix round for it is done."""
    head = (item.published or item.head or "")[:10]
    return f"This was worked on; `{head}` has the result.\n\n{_cut(result)}".rstrip()


def _named(names: Sequence[str]) -> str:
    return " and ".join(f"`{calm(name)}`" for name in names)


def _cut(text: str) -> str:
    words = text.strip()
    return words if len(words) <= LIMIT else f"{words[:LIMIT].rstrip()}…"
