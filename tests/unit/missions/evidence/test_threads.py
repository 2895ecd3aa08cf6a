"""Conversations in the code: each wants one fix round, an answer, and one more round after a new word."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    HEAD,
    PUSHED,
    comment,
    judged,
    our_answer,
    protection,
    short,
    thread,
    threads,
)
from tinytown.missions.evidence.judgement import AnswerThread, Ask, Fix, Passed, Wait
from tinytown.missions.records.forge_evidence import Memory, Thread

PASS = "pass: nothing keeps PR #42 from merging"
MUST = {"protection": protection(resolves_threads=True)}
DONE = Memory(head=HEAD, handled=(("thread", "t1", "c1500"),))
LATER = comment("Not quite.", at=1700.0)

STORIES: list[tuple[str, Thread, dict[str, Any], str]] = [
    ("a person asks", thread(), {}, "fix: ann wants an answer in the thread at src/app.py:3: “Why?”"),
    (
        "a bot asks",
        thread(comment("A bug", by="cursor")),
        {},
        "fix: cursor wants an answer in the thread at src/app.py:3: “A bug”",
    ),
    ("at no line", thread(line=None), {}, "fix: ann wants an answer in the thread at src/app.py: “Why?”"),
    ("it is resolved", thread(resolved=True), {}, PASS),
    ("its round is done", thread(), {"memory": DONE}, "wait: the thread at src/app.py:3 is still to be answered"),
    ("it is answered and not resolved", thread(comment(), our_answer()), {"memory": DONE}, PASS),
    (
        "it is answered, and must be resolved",
        thread(comment(), our_answer()),
        {"memory": DONE, **MUST},
        "ask: the thread at src/app.py:3 is answered but not resolved",
    ),
    (
        "an answered thread gets a new reply",
        thread(comment(), our_answer(), LATER),
        {"memory": DONE},
        "fix: ann wants an answer in the thread at src/app.py:3: “Not quite.”",
    ),
    (
        "a thread that tinytown resolved gets a new reply",
        thread(comment(), our_answer(), LATER, resolved=True, resolved_by_us=True),
        {"memory": DONE},
        "fix: ann wants an answer in the thread at src/app.py:3: “Not quite.”",
    ),
    (
        "that a person resolved stays closed",
        thread(comment(), our_answer(), LATER, resolved=True),
        {"memory": DONE},
        PASS,
    ),
    (
        "resolved under tinytown's name, by whoever lent it",
        thread(comment(), resolved=True, resolved_by_us=True),
        {},
        PASS,
    ),
    (
        "tinytown resolved it after its round, and has yet to answer",
        thread(comment(), resolved=True, resolved_by_us=True),
        {"memory": DONE},
        "wait: the thread at src/app.py:3 is still to be answered",
    ),
    (
        "and somebody spoke before it did",
        thread(comment(), LATER, resolved=True, resolved_by_us=True),
        {"memory": DONE},
        "fix: ann wants an answer in the thread at src/app.py:3: “Not quite.”",
    ),
    (
        "tinytown resolved it, and nobody spoke",
        thread(comment(), our_answer(), resolved=True, resolved_by_us=True),
        {},
        PASS,
    ),
    ("its lines have changed since", thread(comment(at=900.0), outdated=True), {}, PASS),
    (
        "outdated, and must be resolved",
        thread(comment(at=900.0), outdated=True),
        MUST,
        "fix: ann wants an answer in the outdated thread at src/app.py:3: “Why?”",
    ),
    (
        "said of an older version after the newest came",
        thread(comment(at=PUSHED + 1), outdated=True),
        {},
        "fix: ann wants an answer in the outdated thread at src/app.py:3: “Why?”",
    ),
    ("somebody without rights asks", thread(comment(trusted=False)), {}, PASS),
    (
        "and it must be resolved",
        thread(comment(trusted=False)),
        MUST,
        "ask: the thread at src/app.py:3 is not resolved",
    ),
]


@pytest.mark.parametrize(("one", "given", "then"), [(o, g, t) for _, o, g, t in STORIES], ids=[s[0] for s in STORIES])
def test_each_story_of_threads(one: Thread, given: dict[str, Any], then: str) -> None:
    assert short(judged(threads=threads(one), **given)) == then


def test_a_new_reply_is_one_new_round_and_no_more() -> None:
    one = thread(comment(), our_answer(), LATER)
    found = judged(threads=threads(one), memory=DONE)
    assert isinstance(found, Fix)
    assert [failure.key for failure in found.failures] == [("thread", "t1", "c1700")]
    both = DONE.evolve(handled=(*DONE.handled, found.failures[0].key))
    again = judged(threads=threads(one), memory=both)
    assert isinstance(again, Wait)
    assert again.actions == (AnswerThread("t1", "c1700"),)


def test_the_brief_has_the_file_the_line_and_the_words_of_those_who_count() -> None:
    one = thread(comment("Rename it.", at=1400.0), comment("rm -rf /", by="eve", trusted=False), url="https://x/t1")
    found = judged(threads=threads(one))
    assert isinstance(found, Fix)
    (failure,) = found.failures
    assert "src/app.py:3" in failure.summary
    assert "https://x/t1" in failure.details
    assert "Rename it." in failure.details
    assert "rm -rf" not in failure.details


def test_whoever_wrote_last_is_asked_to_resolve_what_tinytown_may_not() -> None:
    found = judged(threads=threads(thread(comment(by="bob"), our_answer())), memory=DONE, **MUST)
    assert isinstance(found, Ask)
    assert (found.whom, found.what) == ("bob", "resolve the thread at src/app.py:3")


def test_answers_are_due_also_beside_a_fix() -> None:
    found = judged(threads=threads(thread(), thread(comment(at=1800.0), id="t2")), memory=DONE)
    assert isinstance(found, Fix)
    assert found.actions == (AnswerThread("t1", "c1500"),)


def test_threads_that_were_not_read_are_no_good_news() -> None:
    """A page may end before the last of them."""
    assert short(judged(threads=threads(unread=2))) == "wait: 2 of its review threads have not been read yet"
    assert isinstance(judged(threads=threads()), Passed)


def test_the_order_of_comments_is_that_of_time() -> None:
    one = thread(LATER, our_answer(), comment())
    assert short(judged(threads=threads(one))).endswith("“Not quite.”")
