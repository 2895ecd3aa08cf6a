"""What reviewers keep a change from merging: people who want it changed, and those who have yet to approve it."""

from __future__ import annotations

from collections.abc import Iterable

from tinytown.missions.evidence import bots, threads
from tinytown.missions.evidence.case import Case, mended, trouble, usable
from tinytown.missions.evidence.judgement import APPROVER, OPERATOR, Ask, Failure, Finding, Fix, Found, Kind, Wait
from tinytown.missions.fences import calm, quoted
from tinytown.missions.records.forge_evidence import FailureKey, Review, Reviews, Thread
from tinytown.missions.states import WaitReason

#: States of reviews that are an opinion; a comment is none.
_OPINIONS = frozenset({"approved", "changes_requested", "dismissed"})
#: Bytes of a review that a sentence quotes, and people who are named.
_QUOTED = 120
_NAMED = 3


def find(case: Case) -> Found:
    """Those who want it changed."""
    seen = case.evidence.reviews
    found = trouble(case, seen, "reviews", Kind.REVIEW)
    if found is not None:
        return Found((found,))
    assert seen is not None
    all_of_them = [one.evolve(may_write=True) if one.is_bot else one for one in seen.reviews]
    refused = [one for one in opinions(all_of_them) if one.state == "changes_requested"]
    return Found(
        tuple(
            finding
            for one in refused
            if (finding := _unheard(one) if one.is_bot and not _is_heard(case, one) else _refused(case, one))
            is not None
        )
    )


def _is_heard(case: Case, review: Review) -> bool:
    """Whether agents may be told what this bot writes: others repeat what anybody told them."""
    return any(bots.same(review.author, bot.login) for bot in case.bots.values())


def _unheard(review: Review) -> Finding:
    who = calm(review.author)
    why = f"the bot {who}, which is not listened to, requested changes"
    what = f"dismiss its review, or name it under `[forge.github.bots]`{f' ({calm(review.url)})' if review.url else ''}"
    return Finding(Kind.REVIEW, Ask(why, OPERATOR, what, reason=WaitReason.APPROVAL))


def find_approvals(case: Case) -> Found:
    """Those who have yet to approve it; ``find`` says whether reviews can be read at all."""
    seen = case.evidence.reviews
    if seen is None or not usable(case, seen):
        return Found()
    return Found(tuple(Finding(Kind.APPROVAL, one) for one in _wanted(case, seen)))


def opinions(reviews: Iterable[Review]) -> list[Review]:
    """The last opinion of everybody who may write to the repository, by name; one that was dismissed is neither."""
    last: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda one: (one.at, one.id)):
        if review.may_write and review.state in _OPINIONS:
            last[review.author.casefold()] = review
    return [one for _, one in sorted(last.items())]


def approvers(seen: Reviews, head: str | None = None) -> list[str]:
    """The people who approve the change, of this head alone where one is given; never a bot or its own author."""
    return [
        one.author
        for one in opinions(seen.reviews)
        if one.state == "approved"
        and not one.is_bot
        and one.author.casefold() != seen.author.casefold()
        and (head is None or one.head == head)
    ]


def _refused(case: Case, review: Review) -> Finding | None:
    """What a request for changes comes to: a fix round if it says what to change, and then its author's word."""
    key: FailureKey = ("review", review.id)
    who = calm(review.author)
    why = f"{who} requested changes"
    if (mending := mended(case, key, Kind.REVIEW, why, until=max(case.now, _due(case)))) is not None:
        return mending
    if key not in case.memory.handled:
        if review.body.strip():
            why = f"{why}: {quoted(review.body, limit=_QUOTED)}"
            return _fix(key, why, review)
        theirs = _threads(case, review.author)
        if theirs is None or any(threads.wanted(one) and threads.is_open(one) for one in theirs):
            return None  # They say what to change, and come first.
        if not theirs and not review.is_bot:
            why = f"{why} without saying which"
            return Finding(Kind.REVIEW, Ask(why, review.author, "say what to change", reason=WaitReason.APPROVAL))
    if review.is_bot:
        return None  # It may never look again. If it has to, the forge blocks the merge.
    again = f"{why}, and has not looked at it again since everything was answered"
    return Finding(Kind.REVIEW, Ask(again, review.author, "review it again", reason=WaitReason.APPROVAL))


def _due(case: Case) -> float:
    return case.evidence.reviews.due_at if case.evidence.reviews is not None else case.now


def _fix(key: FailureKey, why: str, review: Review) -> Finding:
    details = "\n\n".join(filter(None, (review.url, review.body)))
    return Finding(Kind.REVIEW, Fix(why, (Failure(key, "review", why, details),)))


def _threads(case: Case, author: str) -> list[Thread] | None:
    """The threads that they wrote in; ``None`` where that cannot be told."""
    seen = case.evidence.threads
    if seen is None or not usable(case, seen):
        return None
    return [thread for thread in seen.threads if any(one.author == author for one in thread.comments)]


def _wanted(case: Case, seen: Reviews) -> Iterable[Ask | Wait]:
    here = approvers(seen, case.head)
    own = case.policy.required_approvals
    if len(here) < own:
        yield _ask(seen, here, own, "(`[policy] required_approvals`)")
    elif case.subject.needs_person and not here:
        why = f"a person has to approve this commit: {calm(case.subject.needs_person)}"
        yield Ask(why, _asked(seen), "review it and approve it", reason=WaitReason.APPROVAL)
    protection = case.protection
    if protection is None:
        return
    counted = here if protection.dismisses_stale else approvers(seen)
    if len(counted) < protection.approvals:
        yield _ask(seen, counted, protection.approvals, f"on `{calm(case.subject.base)}`")
    elif protection.last_push_approval and not here:
        why = f"`{calm(case.subject.base)}` wants its last push approved"
        yield Ask(why, _asked(seen), "approve its newest commit", reason=WaitReason.APPROVAL)


def _ask(seen: Reviews, have: list[str], want: int, where: str) -> Ask:
    people = "person" if want == 1 else "people"
    why = f"{want} {people} must approve it {where}, and {len(have) or 'nobody'} did"
    return Ask(why, _asked(seen), "review it and approve it", reason=WaitReason.APPROVAL)


def _asked(seen: Reviews) -> str:
    """Whom to ask: those who are asked at the forge already, else anybody who may."""
    return ", ".join(calm(one) for one in sorted(seen.requested)[:_NAMED]) or APPROVER
