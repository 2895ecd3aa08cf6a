"""Review bots: what is clean, what is found, and what is no review at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    HEAD,
    NOW,
    OLD,
    bots,
    checks,
    comment,
    judged,
    mergeability,
    protection,
    required,
    review,
    reviews,
    run,
    short,
    status,
    statuses,
    thread,
    threads,
)
from tinytown.errors import ConfigurationError
from tinytown.missions.evidence.judgement import Ask, Fix, Passed, Wait
from tinytown.missions.records.forge_evidence import Memory
from tinytown.settings import BotSettings, parse
from tinytown.settings.bots import BUILT_IN, table

PASS = "pass: nothing keeps PR #42 from merging"
BUGBOT = {"app": "cursor", "workflow_run": 0, "event": ""}
COPILOT = "copilot-pull-request-reviewer[bot]"
#: What is found stands in a thread.
FOUND = threads(thread(comment("BUGBOT_BUG_ID: 1", by="cursor")))
ANSWERED = threads(thread(comment("BUGBOT_BUG_ID: 1", by="cursor"), resolved=True))


def bugbot(conclusion: str, summary: str = "", **changes: Any) -> dict[str, Any]:
    return {"checks": checks(run(), run("Cursor Bugbot", conclusion, summary=summary, **{**BUGBOT, **changes}))}


def coderabbit(state: str, description: str) -> dict[str, Any]:
    return {"statuses": statuses(status("CodeRabbit", state, description=description))}


def copilot(body: str, **changes: Any) -> dict[str, Any]:
    return {"reviews": reviews(review("commented", by=COPILOT, is_bot=True, may_write=False, body=body, **changes))}


NOT_REVIEWED = [
    ("Bugbot skips it", bugbot("neutral", "Skipping Bugbot: the change is too large"), "skipped it"),
    ("Bugbot is at its limit", bugbot("neutral", "Bugbot reached its usage limit"), "has reached a limit"),
    ("Bugbot was cancelled", bugbot("neutral"), "ended without a verdict"),
    ("Bugbot was cancelled in fact", bugbot("cancelled"), "ended without a verdict"),
    (
        "Bugbot says in a comment that it skips",
        {**bugbot("success"), "bots": bots(comment("Skipping Bugbot: draft", by="cursor[bot]"))},
        "skipped it",
    ),
    (
        "CodeRabbit is limited, and its status a success",
        coderabbit("success", "Review rate limited"),
        "has reached a limit",
    ),
    ("CodeRabbit skips it", coderabbit("success", "Review skipped: draft"), "skipped it"),
    ("CodeRabbit says something new", coderabbit("success", "See you"), "ended without a verdict"),
    ("Copilot is at its quota", copilot("Copilot has reached its quota"), "has reached a limit"),
    ("Copilot could not", copilot("Copilot wasn't able to review any files"), "skipped it"),
]
DRAFT = mergeability("draft", draft=True, draft_by_us=True)
SKIPS_DRAFTS = bots(comment("Skipping Bugbot: draft", by="cursor[bot]"))
CLEAN = [
    ("Bugbot found nothing", bugbot("success")),
    ("what Bugbot found is resolved", {**bugbot("neutral", "Bugbot found 1 potential issue"), "threads": ANSWERED}),
    ("CodeRabbit is done", coderabbit("success", "Review completed")),
    ("Copilot has nothing to say", copilot("Copilot reviewed 3 files and generated no comments")),
    ("nobody asked it", {}),
    (
        "an old skip is about an older head",
        {**bugbot("success"), "bots": bots(comment("Skipping Bugbot", by="cursor", at=900))},
    ),
    (
        "it looked when it was a draft no more",
        {**bugbot("success", started_at=1600), "bots": SKIPS_DRAFTS},
    ),
    ("a person writes of limits", {**bugbot("success"), "bots": bots(comment("bugbot has a limit"))}),
]


@pytest.mark.parametrize(("given", "said"), [(g, s) for _, g, s in NOT_REVIEWED], ids=[n for n, _, _ in NOT_REVIEWED])
def test_what_a_bot_did_not_review_is_neither_clean_nor_red(given: dict[str, Any], said: str) -> None:
    """It is said, and holds up nothing, unless the bot's review is required: then a person is asked."""
    found = judged(**given)
    assert isinstance(found, Passed)
    assert len(found.remarks) == 1
    assert f"{said}, so it did not review this commit" in found.remarks[0]
    needed = table({name: BotSettings(required=True) for name in BUILT_IN})
    asked = judged(table={name: bot for name, bot in needed.items() if _speaks(given, bot)}, **given)
    assert isinstance(asked, Ask)
    assert said in asked.why


def _speaks(given: dict[str, Any], bot: BotSettings) -> bool:
    return {"checks": "check", "statuses": "status", "reviews": "review"}[next(iter(given))] == bot.channel


@pytest.mark.parametrize("given", [g for _, g in CLEAN], ids=[n for n, _ in CLEAN])
def test_what_is_clean_holds_up_nothing(given: dict[str, Any]) -> None:
    found = judged(**given)
    assert short(found) == PASS
    assert found.remarks == ()


def test_a_neutral_bugbot_with_findings_is_red_by_its_threads() -> None:
    found = judged(**bugbot("neutral", "Bugbot found 1 potential issue"), threads=FOUND)
    assert isinstance(found, Fix)
    assert [one.key for one in found.failures] == [("thread", "t1", "c1500")]
    assert "BUGBOT_BUG_ID" in found.failures[0].details


def test_a_draft_of_ours_waits_for_no_bot_that_looks_at_none_and_is_made_ready() -> None:
    skipped = judged(mergeability=DRAFT, **{**bugbot("neutral"), "bots": SKIPS_DRAFTS})
    assert short(skipped) == "wait: it is a draft"
    theirs = judged(mergeability=DRAFT.evolve(draft_by_us=False), **{**bugbot("neutral"), "bots": SKIPS_DRAFTS})
    assert isinstance(theirs, Ask)


@pytest.mark.parametrize("given", [bugbot("neutral", "BUGBOT_BUG_ID: 2, a race"), bugbot("failure", "a race")])
def test_findings_without_a_thread_are_taken_from_its_own_words(given: dict[str, Any]) -> None:
    found = judged(**given)
    assert short(found) == "fix: the review bot `Cursor Bugbot` found something"
    assert isinstance(found, Fix)
    assert found.failures[0].key == ("check", "Cursor Bugbot", "cursor", HEAD)
    assert "a race" in found.failures[0].details
    handled = Memory(head=HEAD, handled=(found.failures[0].key,))
    assert isinstance(judged(memory=handled, **given), Ask)


def test_a_bot_at_work_is_waited_for_until_its_deadline() -> None:
    given = bugbot("")
    found = judged(pushed_at=NOW - 880, **given)
    assert short(found) == "wait: the review bot `Cursor Bugbot` has not answered yet"
    assert isinstance(found, Wait)
    assert found.until == NOW + 20
    late = judged(pushed_at=NOW - 901, **given)
    assert isinstance(late, Passed)
    assert "did not answer in time" in late.remarks[0]


def test_a_bot_that_is_asked_and_says_nothing_is_waited_for() -> None:
    """A bot that nobody asked is not."""
    asked = {"bots": bots(requested=(COPILOT,))}
    assert isinstance(judged(pushed_at=NOW - 500, **asked), Wait)
    assert isinstance(judged(pushed_at=NOW - 901, **asked), Passed)
    reviewed = {**asked, **copilot("Generated 2 comments")}
    assert isinstance(judged(**reviewed), Passed)


def test_a_person_who_has_a_bots_name_is_not_that_bot() -> None:
    """Anybody may have the account `cursor`; apps are told by their kind."""
    asked = {"bots": bots(requested=(COPILOT,))}
    words = {"reviews": reviews(review("commented", by=COPILOT, may_write=False, body="generated no comments"))}
    assert isinstance(judged(pushed_at=NOW - 500, **asked, **words), Wait)
    assert short(judged(**asked, **copilot("Copilot reviewed 3 files and generated no comments"))) == PASS
    found = bugbot("neutral", "BUGBOT_BUG_ID: 2, a race")
    hidden = judged(**found, threads=threads(thread(comment("Fine.", by="cursor", trusted=False))))
    assert short(hidden) == "fix: the review bot `Cursor Bugbot` found something"


def test_a_review_of_an_older_head_says_nothing_of_this_one() -> None:
    needed = table({"copilot": BotSettings(required=True)})
    old = copilot("Generated no comments", head=OLD)
    assert isinstance(judged(table=needed, pushed_at=NOW - 500, **old), Wait)
    assert isinstance(judged(table=needed, pushed_at=NOW - 901, **old), Ask)


def test_a_bots_check_that_is_required_counts_as_any_other() -> None:
    rules = protection(**required("Cursor Bugbot"))
    assert isinstance(judged(**bugbot("failure"), protection=rules), Fix)
    assert isinstance(judged(**bugbot(""), pushed_at=NOW - 901, protection=rules), Wait)


def test_a_bot_of_ones_own_by_configuration() -> None:
    own = parse(
        {
            "forge": {
                "github": {
                    "bots": {
                        "lintbot": {
                            "login": "lintbot",
                            "findings": "please fix",
                            "clean": "looks good",
                            "required": True,
                        },
                        "bugbot": {"required": True},
                    }
                }
            }
        },
        source="tinytown.toml",
    ).forge.github.bots
    bots_known = {name: bot for name, bot in table(own).items() if name == "lintbot"}
    say = {"by": "lintbot[bot]", "is_bot": True, "may_write": False}

    def with_body(body: str) -> Any:
        return judged(table=bots_known, reviews=reviews(review("commented", body=body, **say)))

    assert isinstance(with_body("Looks good to me"), Passed)
    assert isinstance(with_body("Please fix the names"), Fix)
    assert isinstance(with_body("Hello"), Ask)
    # Of a bot that is known, only what is different is said.
    assert table(own)["bugbot"] == BUILT_IN["bugbot"].model_copy(update={"required": True})


@pytest.mark.parametrize(
    ("bot", "wrong"),
    [
        ({}, "needs `login`"),
        ({"login": "x", "channel": "check"}, "needs `context`"),
        ({"login": "x", "clean": "(a+)+"}, "repeats a group"),
    ],
)
def test_a_bot_that_cannot_be_recognised_is_refused(bot: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        parse({"forge": {"github": {"bots": {"mine": bot}}}}, source="tinytown.toml")


def test_comments_of_bots_that_were_not_read_are_no_good_news() -> None:
    assert short(judged(bots=None)) == "wait: its comments by bots have not been read yet"
