"""The table of commands: who may use which, and how arguments that come as data are read."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, cast

import pytest

from tinytown import commands
from tinytown.commands import missions
from tinytown.commands.table import Caller, Who
from tinytown.errors import ConfigurationError, StateError

#: What looks and what an agent may do; everything else only a person.
LOOKING = {
    "mission.plan", "mission.list", "mission.summaries", "mission.glance", "mission.status", "work.show", "list",
    "status", "metrics", "limits", "config.list", "towns", "history", "reset.preview",
    "migrate.preview", "gc.preview", "archive",
    "task.list", "task.lines", "task.find", "task.show", "task.wait", "task.at_hand",
    "mail.read", "mail.all", "backlog.list", "hosts",
}  # fmt: skip
IN_A_RUN = {
    "task.current", "task.complete", "task.fail", "review.approve", "review.request_changes", "review.run",
    "send", "inbox", "backlog.add", "backlog.list", "backlog.claim",
}  # fmt: skip
#: What both do, each in its own name.
SHARED = {"send", "backlog.add", "backlog.list", "backlog.claim"}
#: What the unattended conductor may: look at the work, and answer with what a person can undo.
ANSWERING = {
    "mission.list", "mission.summaries", "mission.glance", "mission.status", "work.show", "list", "history",
    "task.list", "task.find", "mail.read", "backlog.list",
    "mission.note", "mission.retry", "task.retry", "task.cancel", "send",
    "task.current", "task.complete", "task.fail",
}  # fmt: skip


def test_who_may_use_what_is_said_for_every_command() -> None:
    for name, command in commands.COMMANDS.items():
        assert command.name == name
        assert command.perform.__doc__, name
        assert is_dataclass(command.arguments), name
        assert (Who.READER in command.by) == (name in LOOKING), name
        assert (Who.AGENT in command.by) == (name in IN_A_RUN), name
        assert (Who.CONDUCTOR in command.by) == (name in ANSWERING), name
        assert (Who.OPERATOR in command.by) == (name not in IN_A_RUN or name in SHARED), name


@pytest.mark.parametrize("who", [Who.READER, Who.AGENT, Who.CONDUCTOR])
def test_nobody_but_a_person_acts_on_the_town(who: Who) -> None:
    acting = [one for one in commands.COMMANDS.values() if who not in one.by]
    assert len(acting) > 5
    for command in acting:
        with pytest.raises(StateError, match=f"`{command.name}` is not for {who.value}s"):
            command(Caller(who), cast(Any, None))


def test_an_agent_has_no_town_and_a_person_no_run() -> None:
    with pytest.raises(StateError, match="for the town's operators"):
        _ = Caller(Who.AGENT).context
    with pytest.raises(StateError, match="inside their runs"):
        _ = Caller(Who.OPERATOR).run


def test_the_unattended_conductor_acts_only_on_what_it_was_asked_about() -> None:
    """And is on record as acting before it does."""
    acted: list[str] = []
    caller = Caller(Who.CONDUCTOR, about="m1", _acts=lambda: acted.append("m1"))
    for command, wanted in ((missions.note, missions.Note("m2", "retry 1")), (missions.retry, missions.Retry("m2"))):
        with pytest.raises(StateError, match="you were not asked about mission m2"):
            cast(Any, command)(caller, wanted)
    with pytest.raises(StateError, match="that is a person's"):
        missions.note(caller, missions.Note("m1", "resume"))
    assert acted == []
    caller.touches("m1")
    assert acted == ["m1"]


def test_arguments_that_come_as_data_become_typed_ones() -> None:
    assert missions.resume.read({"mission": "abc", "budget_usd": 5}) == missions.Resume("abc", 5.0)
    order = missions.start.read({"issues": ["1", "2"], "again": True})
    assert (list(order.issues), order.again, order.base_check) == (["1", "2"], True, True)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({}, "mission"),
        ({"mission": 5}, "mission"),
        ({"mission": "a", "budget_usd": "much"}, "budget_usd"),
        ({"mission": "a", "force": True}, "`mission.resume` knows no `force`"),
    ],
)
def test_arguments_that_are_wrong_are_named(raw: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        missions.resume.read(raw)


def test_every_command_reads_its_own_arguments_and_no_others() -> None:
    for command in commands.COMMANDS.values():
        with pytest.raises(ConfigurationError, match="knows no `surely_not`"):
            command.read({"surely_not": 1})
        needed = [one.name for one in fields(command.arguments) if one.name in ("mission", "name", "text", "why")]
        if needed == ["name"] and len(fields(command.arguments)) == 1:
            assert command.read({"name": "ada"}).name == "ada"


def test_a_command_that_is_asked_for_by_name_must_exist_and_be_allowed() -> None:
    with pytest.raises(ConfigurationError, match="there is no command `surely_not`"):
        commands.show(Caller(Who.READER), "surely_not", {})
    with pytest.raises(StateError, match="`kill` is not for readers"):
        commands.show(Caller(Who.READER), "kill", {"name": "ada"})
