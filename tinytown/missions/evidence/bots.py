"""What review bots keep a change from merging. What they are and how they speak is in ``settings.bots``.

What a bot found it writes into threads, which are judged with all others; here is whether it has looked at all. A bot
that skipped the change, or that reached a limit, has not reviewed it: that is no approval and no refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from tinytown import patterns
from tinytown.missions.evidence import states
from tinytown.missions.evidence.case import Case, mended, trouble, usable
from tinytown.missions.evidence.judgement import OPERATOR, Ask, Failure, Finding, Fix, Found, Kind, Wait
from tinytown.missions.evidence.states import Result, State
from tinytown.missions.fences import calm
from tinytown.missions.records.forge_evidence import FailureKey, Review, Thread
from tinytown.settings import BotSettings

#: Lines of what a bot wrote that its patterns are tried on.
_LINES = 400


class Word(Enum):
    """What a bot's answer comes to."""

    CLEAN = "clean"
    FOUND = "found something"
    SKIPPED = "skipped it"
    LIMITED = "has reached a limit"
    WORKING = "has not answered yet"
    #: Nothing says that it was asked.
    SILENT = "has not looked at it"
    #: It ended, with no word that is known.
    UNCLEAR = "ended without a verdict"


def find(case: Case) -> Found:
    """What is in the way, and what is worth a remark."""
    found = trouble(case, case.evidence.bots, "comments by bots", Kind.BOT)
    if found is not None:
        return Found((found,))
    findings: list[Finding] = []
    remarks: list[str] = []
    for name, bot in sorted(case.bots.items()):
        finding, remark = _of_bot(case, name, bot)
        findings += [finding] if finding is not None else []
        remarks += [remark] if remark else []
    return Found(tuple(findings), tuple(remarks))


def same(login: str, other: str) -> bool:
    """Whether two logins are one: REST writes ``cursor[bot]`` where GraphQL writes ``cursor``."""
    return _plain(login) == _plain(other)


def _plain(login: str) -> str:
    return login.casefold().removesuffix("[bot]").removeprefix("app/")


def _of_bot(case: Case, name: str, bot: BotSettings) -> tuple[Finding | None, str]:
    state = _state(case, bot)
    word = _word(case, bot, state)
    title = f"the review bot `{calm(bot.context or name)}`"
    deadline = case.subject.pushed_at + bot.deadline_secs
    if word is Word.CLEAN:
        return None, ""
    if word is Word.FOUND:
        return _found(case, bot, state, title), ""
    if (word is Word.WORKING or (word is Word.SILENT and bot.required)) and case.now < deadline:
        return Finding(Kind.BOT, Wait(f"{title} {Word.WORKING.value}", until=min(deadline, _next_look(case)))), ""
    if word is Word.SILENT and not bot.required:
        return None, ""
    if word in (Word.SKIPPED, Word.SILENT, Word.WORKING) and _is_our_draft(case):
        return None, ""  # Many look at no draft: it is asked again when it is none any more.
    said = f"{title} did not answer in time" if word in (Word.WORKING, Word.SILENT) else f"{title} {word.value}"
    if not bot.required:
        return None, f"{said}, so it did not review this commit"
    return Finding(Kind.BOT, Ask(said, OPERATOR, f"have `{calm(name)}` review it, or review and merge it by hand")), ""


def _found(case: Case, bot: BotSettings, state: State | None, title: str) -> Finding | None:
    """What it found is in its threads; only where there are none, or they cannot be read, its own words are used."""
    if _threads(case, bot):
        return None
    key: FailureKey = ("check", state.name, state.app, case.head) if state is not None else _written(case, bot)[-1][0]
    why = f"{title} found something"
    if (mending := mended(case, key, Kind.BOT, why, until=_next_look(case))) is not None:
        return mending
    if key in case.memory.handled:
        return Finding(Kind.BOT, Ask(f"{why}, and its fix round left the commit as it was", OPERATOR, "look at it"))
    details = "\n\n".join(filter(None, (state.url if state is not None else "", *_texts(case, bot, state))))
    return Finding(Kind.BOT, Fix(why, (Failure(key, "review", why, details),)))


# -- its answer ------------------------------------------------------------------------------------


def _state(case: Case, bot: BotSettings) -> State | None:
    """The newest word of its check or status on this head."""
    seen = case.evidence
    if bot.channel == "check" and seen.checks is not None and usable(case, seen.checks):
        found = states.of_checks(seen.checks)
    elif bot.channel == "status" and seen.statuses is not None and usable(case, seen.statuses):
        found = states.of_statuses(seen.statuses)
    else:
        return None
    alike = [one for one in found if (one.noun, one.name) == (bot.channel, bot.context)]
    return min(alike, key=lambda one: (one.result, one.said, one.app), default=None)


def _word(case: Case, bot: BotSettings, state: State | None) -> Word:
    texts = _texts(case, bot, state)
    if _says(bot.findings, texts):
        return Word.FOUND
    for pattern, word in ((bot.limited, Word.LIMITED), (bot.skipped, Word.SKIPPED)):
        if _says(pattern, texts):
            return word
    if bot.channel == "review":
        return _reviewed(case, bot, texts)
    if state is None:
        return Word.WORKING if _is_asked(case, bot) else Word.SILENT
    return _of_state(case, bot, state, texts)


def _of_state(case: Case, bot: BotSettings, state: State, texts: list[str]) -> Word:
    match state.result:
        case Result.PENDING | Result.HELD:
            return Word.WORKING
        case Result.RED:
            return Word.FOUND
        case Result.NONE:
            return Word.UNCLEAR
    if state.run is not None and state.run.conclusion != "success":
        # A neutral end is what it found, or a fault of its own.
        return Word.FOUND if any(not thread.resolved for thread in _threads(case, bot)) else Word.UNCLEAR
    if bot.clean is not None and not _says(bot.clean, texts):
        return Word.UNCLEAR
    return Word.CLEAN


def _is_our_draft(case: Case) -> bool:
    seen = case.evidence.mergeability
    return seen is not None and usable(case, seen) and seen.draft and seen.draft_by_us


def _reviewed(case: Case, bot: BotSettings, texts: list[str]) -> Word:
    """Of a bot that only writes reviews."""
    if not any(review.head == case.head for review in _reviews(case, bot)):
        return Word.WORKING if _is_asked(case, bot) else Word.SILENT
    if bot.clean is not None and not _says(bot.clean, texts):
        return Word.UNCLEAR
    return Word.CLEAN


def _is_asked(case: Case, bot: BotSettings) -> bool:
    bots = case.evidence.bots
    return bots is not None and any(same(login, bot.login) for login in bots.requested)


def _texts(case: Case, bot: BotSettings, state: State | None) -> list[str]:
    """What it wrote about this head, where it says whether it looked."""
    if bot.channel == "status":  # What else it writes is about the code.
        return [state.status.description] if state is not None and state.status is not None else []
    run = state.run if state is not None else None
    found = [run.title, run.summary] if run is not None else []
    overcome = _overcome(case, bot, state)
    found += [text for key, text in _written(case, bot) if key not in overcome]
    return [text for text in found if text]


def _overcome(case: Case, bot: BotSettings, state: State | None) -> set[FailureKey]:
    """Its comments that it skipped a draft, where it is none any more and nothing, or a newer check, is its answer."""
    merge, seen = case.evidence.mergeability, case.evidence.bots
    if seen is None or merge is None or not usable(case, merge) or merge.draft or merge.state == "draft":
        return set()
    began = state.run.started_at or 0.0 if state is not None and state.run is not None else None
    return {
        ("comment", one.id)
        for one in seen.comments
        if "draft" in one.body.casefold() and _says(bot.skipped, [one.body]) and (began is None or began > one.at)
    }


def _written(case: Case, bot: BotSettings) -> list[tuple[FailureKey, str]]:
    """Its comments and reviews that are about this head, each with the key of what it may have found."""
    seen = case.evidence.bots
    comments = sorted(seen.comments if seen is not None else (), key=lambda one: (one.at, one.id))
    return [
        *((("review", one.id), one.body) for one in _reviews(case, bot) if one.head == case.head),
        *(
            (("comment", one.id), one.body)
            for one in comments
            if same(one.author, bot.login) and (one.at >= case.subject.pushed_at or case.head in one.body)
        ),
    ]


def _reviews(case: Case, bot: BotSettings) -> list[Review]:
    reviews = case.evidence.reviews
    if reviews is None or not usable(case, reviews):
        return []
    # Anybody may have an account that is called like a bot.
    mine = [one for one in reviews.reviews if one.is_bot and same(one.author, bot.login) and one.state != "pending"]
    return sorted(mine, key=lambda one: (one.at, one.id))


def _threads(case: Case, bot: BotSettings) -> list[Thread]:
    """The threads that it began; what it is trusted with tells it from a person who has its name."""
    threads = case.evidence.threads
    if threads is None or not usable(case, threads):
        return []
    firsts = [
        (thread, min(thread.comments, key=lambda one: (one.at, one.id)))
        for thread in threads.threads
        if thread.comments
    ]
    return [thread for thread, first in firsts if first.trusted and same(first.author, bot.login)]


def _says(pattern: str | None, texts: Iterable[str]) -> bool:
    if pattern is None:
        return False
    expression = patterns.compiled(pattern)
    return any(_matches(expression, text) for text in texts)


def _matches(expression: re.Pattern[str], text: str) -> bool:
    return any(expression.search(line[: patterns.LINE_CHARS]) for line in text.splitlines()[:_LINES])


def _next_look(case: Case) -> float:
    return max(case.now, case.evidence.bots.due_at if case.evidence.bots is not None else case.now)
