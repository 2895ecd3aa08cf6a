"""What an operator's note means."""

from __future__ import annotations

import pytest

from tinytown.errors import ConfigurationError
from tinytown.missions.directives import (
    MAX_LENGTH,
    Cancel,
    Directive,
    Pause,
    Redirect,
    Remark,
    Reread,
    Resume,
    Retry,
    parse,
)


@pytest.mark.parametrize(
    ("text", "directive"),
    [
        ("resume", Resume()),
        ("RESUME.", Resume()),
        ("resume ...", Resume()),
        ("resume \u2026", Resume()),
        ("resume the credentials are renewed", Resume("the credentials are renewed")),
        ("resume: credentials renewed", Resume("credentials renewed")),
        ("resume - credentials renewed", Resume("credentials renewed")),
        ("resume we fixed the key", Resume("we fixed the key")),
        ("resume it's fixed", Resume("it's fixed")),
        ("Resume: go on", Resume("go on")),
        ("  resume\n\nplease", Resume("please")),
        ("please resume", Resume()),
        ("resume now please", Resume("now please")),
        ("pause", Pause()),
        ("pause!", Pause()),
        ("pause until monday", Pause("until monday")),
        ("pause until the API is back", Pause("until the API is back")),
        ("pause because the vendor is down", Pause("because the vendor is down")),
        ("pause for now", Pause("for now")),
        ("pause: CI is red", Pause("CI is red")),
        ("pause our quota has run out", Pause("our quota has run out")),
        ("retry", Retry()),
        ("retry all", Retry()),
        ("retry all please", Retry()),
        ("retry now", Retry()),
        ("retry: the network is back", Retry()),
        ("retry the network is back", Retry()),
        ("retry 2", Retry("2")),
        ("retry 2 now", Retry("2")),
        ("retry 2: the network is back", Retry("2")),
        ("retry #2, with more memory", Retry("#2")),
        ("retry owner/repo#2", Retry("owner/repo#2")),
        ("retry plan:task/build now", Retry("plan:task/build")),
        ("redirect 2 to backend", Redirect("2", "backend")),
        ("redirect #2 to back-end_2.", Redirect("#2", "back-end_2")),
        ("redirect local/town#2 TO ada because she knows it", Redirect("local/town#2", "ada")),
        ("redirect 2 to ada, she knows it", Redirect("2", "ada")),
        ("cancel #3", Cancel("#3", "#3")),
        ("cancel 3 not wanted", Cancel("3", "3 not wanted")),
        ("cancel 3, it is done elsewhere", Cancel("3", "3 it is done elsewhere")),
        ("reread 3", Reread("3")),
        ("the tests need a database", Remark("the tests need a database")),
    ],
)
def test_a_command_is_a_whole_note_of_its_form(text: str, directive: Directive) -> None:
    assert parse(text) == directive


@pytest.mark.parametrize(
    "text",
    [
        "Please pause between retries",
        "Paused missions should say why",
        "Causes of the fault: see the log",
        "Direct users to the new page",
        "Retries should wait 5 seconds",
        "Retry-After must be honoured",
        "Stop retrying after 3 failures",
        "Continue-On-Error stays off",
        "Skip the slow tests",
        "Start with the schema",
        "Move the parser to a room of its own",
        "Go on using SQLite",
        "Give users a way out",
        "End lines with LF",
        "Wait 5 seconds between retries",
        "Reads must not block",
        "No.",
        ": use the blue one",
    ],
)
def test_a_remark_may_use_the_same_words(text: str) -> None:
    assert parse(text) == Remark(text)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("pause between retries should be 5 seconds", '"pause" or "pause: WHY"'),
        ("pause for 5 seconds between retries", '"pause: WHY"'),
        ("pause button is missing", '"pause: WHY"'),
        ("pause the animation when the tab is hidden", '"pause: WHY"'),
        ("Pause, resume and cancel must be buttons", '"pause: WHY"'),
        ("resume uploads where they stopped", '"resume: WHY"'),
        ("resume from the last offset", '"resume: WHY"'),
        ("resume the upload that is broken", '"resume: WHY"'),
        ("retry 3 times before giving up", '"retry 3: WHY"'),
        ("retry once", '"retry [ITEM]"'),
        ("retry until it succeeds", '"retry [ITEM]"'),
        ("retry 1, 2", '"retry 1"'),
        ("retry 1 and 2", '"retry 1"'),
        ("retry failed requests", '"retry [ITEM]"'),
        ("cancel", '"cancel ITEM"'),
        ("cancel everything", '"cancel ITEM"'),
        ("cancel 2, 3", '"cancel 2"'),
        ("Cancel orders after 30 days", '"cancel ITEM"'),
        ("reread the file on SIGHUP", '"reread ITEM"'),
        ("redirect", '"redirect ITEM to AGENT"'),
        ("redirect 2", '"redirect ITEM to AGENT"'),
        ("redirect 2 to", '"redirect ITEM to AGENT"'),
        ("redirect 2 backend", '"redirect ITEM to AGENT"'),
        ("redirect it to backend", '"redirect ITEM to AGENT"'),
        ("redirect users to the login page", '"redirect ITEM to AGENT"'),
        ("rety 3", '"retry 3"'),
        ("retyr", '"retry"'),
        ("puase", '"pause"'),
        ("resum", '"resume"'),
        ("resumes", '"resume"'),
        ("cancle #2", '"cancel #2"'),
        ("redirct 2 to bob", '"redirect 2 to bob"'),
        ("stop", '"pause"'),
        ("continue", '"resume"'),
        ("go on", '"resume"'),
        ("abort 3", '"cancel 3"'),
        ("restart 2", '"retry 2"'),
        ("assign 2 to bob", '"redirect 2 to bob"'),
    ],
)
def test_what_begins_like_a_command_and_is_none_is_refused_with_the_nearest(text: str, nearest: str) -> None:
    """It is neither done nor kept as an instruction to agents: whoever typed it says which was meant."""
    with pytest.raises(ConfigurationError) as refused:
        parse(text)
    assert nearest in refused.value.remedy
    assert "`--remark`" in refused.value.remedy
    assert "nothing was done" in refused.value.message
    assert parse(text, remark=True) == Remark(text)


@pytest.mark.parametrize(
    "text", ["", "  \n ", "x" * (MAX_LENGTH + 1), "redirect 2 to Back.End!", "redirect 2 to --help"]
)
def test_a_note_that_says_nothing_usable_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(text)
    assert refused.value.remedy


@pytest.mark.parametrize("text", ["", " ", "x" * (MAX_LENGTH + 1)])
def test_a_remark_is_bounded_too(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(text, remark=True)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hold: the vendor is down", "pause: the vendor is down"),
        ("Hold", "pause"),
        ("reassign 2 to ann", "redirect 2 to ann"),
        ("reroute #2 to ann because bo is away", "redirect #2 to ann because bo is away"),
        ("rebind 2 to ann", "redirect 2 to ann"),
    ],
)
def test_some_words_mean_exactly_the_same(text: str, meant: str) -> None:
    assert parse(text) == parse(meant)


@pytest.mark.parametrize(
    ("text", "directive"),
    [
        ("retry build", Retry("build")),
        ("retry build: the disk has room", Retry("build")),
        ("please retry build.", Retry("build")),
        ("redirect build to ada", Redirect("build", "ada")),
        ("cancel build, not needed", Cancel("build", "build not needed")),
        ("reread t7", Reread("t7")),
        ("retry 2", Retry("2")),
        ("retry now", Retry()),
        ("retry all", Retry()),
        ("build it anew", Remark("build it anew")),
        ("please cancel build and test", Remark("please cancel build and test")),
    ],
)
def test_a_task_is_named_by_its_id(text: str, directive: Directive) -> None:
    assert parse(text, tasks={"build", "test", "t7", "now", "all"}) == directive


@pytest.mark.parametrize("text", ["retry deploy", "retry build, test", "cancel build and test", "restart build"])
def test_what_is_no_task_of_the_mission_is_refused(text: str) -> None:
    """Also where it names two, of which one would be forgotten."""
    with pytest.raises(ConfigurationError) as refused:
        parse(text, tasks={"build", "test"})
    assert ("build" in refused.value.remedy) == ("build" in text)
