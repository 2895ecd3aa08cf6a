"""What conversations in a change's code keep it from merging."""

from __future__ import annotations

from tinytown.missions.evidence.case import Case, mended, trouble
from tinytown.missions.evidence.judgement import OPERATOR, AnswerThread, Ask, Failure, Finding, Fix, Found, Kind, Wait
from tinytown.missions.fences import calm, quoted
from tinytown.missions.records.forge_evidence import Comment, FailureKey, Thread

#: Bytes of a comment that a sentence quotes.
_QUOTED = 120


def find(case: Case) -> Found:
    """What is in the way: each thread that wants an answer has one fix round, and one more after each new comment."""
    seen = case.evidence.threads
    found = trouble(case, seen, "review threads", Kind.THREAD)
    if found is not None:
        return Found((found,))
    assert seen is not None
    findings = [finding for thread in seen.threads if (finding := _of_thread(case, thread)) is not None]
    if seen.unread:
        why = f"{seen.unread} of its review threads have not been read yet"
        findings.append(_finding(Wait(why, until=max(case.now, seen.due_at))))
    return Found(tuple(findings))


def is_open(thread: Thread) -> bool:
    """Whether it still wants something: nobody resolved it, or only tinytown did and was answered."""
    if not thread.resolved:
        return True
    last = wanted(thread)
    answered = any(one.ours for one in thread.comments)
    return thread.resolved_by_us and answered and last is not None and not _answered(thread, last)


def wanted(thread: Thread) -> Comment | None:
    """The last comment in it that an agent may act on, by anybody but tinytown."""
    said = [one for one in thread.comments if one.trusted and not one.ours]
    return max(said, key=_order, default=None)


def _order(comment: Comment) -> tuple[float, str]:
    return comment.at, comment.id


def _answered(thread: Thread, comment: Comment) -> bool:
    """Whether tinytown wrote in it after ``comment``."""
    return any(one.ours and _order(one) > _order(comment) for one in thread.comments)


def _of_thread(case: Case, thread: Thread) -> Finding | None:
    last, place = wanted(thread), _place(thread)
    if not is_open(thread) and not _left_unsaid(case, thread, last):
        return None
    must = case.protection is not None and case.protection.resolves_threads
    if last is None:
        # Nobody whose word counts has said anything in it.
        why = f"the thread at {place} is not resolved"
        return _finding(Ask(why, OPERATOR, f"resolve the thread at {place}")) if must else None
    if _answered(thread, last):
        why = f"the thread at {place} is answered but not resolved"
        return _finding(Ask(why, last.author, f"resolve the thread at {place}")) if must else None
    key: FailureKey = ("thread", thread.id, last.id)
    about = f"the thread at {place} wants an answer"
    if (mending := mended(case, key, Kind.THREAD, about, until=_next_look(case))) is not None:
        return mending
    if key in case.memory.handled:
        why = f"the thread at {place} is still to be answered"
        return _finding(Wait(why, until=_next_look(case), actions=(AnswerThread(thread.id, last.id),)))
    if thread.outdated and not must and last.at <= case.subject.pushed_at:
        return None  # Its lines have changed since, and nobody insists.
    outdated = "outdated " if thread.outdated else ""
    why = f"{calm(last.author)} wants an answer in the {outdated}thread at {place}: {quoted(last.body, limit=_QUOTED)}"
    return _finding(Fix(why, (Failure(key, "review", why, _conversation(thread)),)))


def _left_unsaid(case: Case, thread: Thread, last: Comment | None) -> bool:
    """Whether tinytown resolved it after its fix round and has yet to answer, which it does after that."""
    if last is None or not thread.resolved_by_us or _answered(thread, last):
        return False
    return any(("thread", thread.id, one.id) in case.memory.handled for one in thread.comments)


def _place(thread: Thread) -> str:
    return f"{calm(thread.path)}:{thread.line}" if thread.line is not None else calm(thread.path)


def _conversation(thread: Thread) -> str:
    """What was said, by those whose word counts."""
    said = sorted((one for one in thread.comments if one.trusted or one.ours), key=_order)
    return "\n\n".join((thread.url or _place(thread), *(f"{one.author}:\n{one.body}" for one in said)))


def _next_look(case: Case) -> float:
    return max(case.now, case.evidence.threads.due_at if case.evidence.threads is not None else case.now)


def _finding(outcome: Wait | Fix | Ask) -> Finding:
    return Finding(Kind.THREAD, outcome)
