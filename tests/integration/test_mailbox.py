"""Mailboxes as people see them: what is pending for whom, and that a look changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.story.arranged import ATown
from tinytown.commands import mail, show
from tinytown.commands.table import operator, reader
from tinytown.engine.conductor import messages
from tinytown.engine.operate import items, missions
from tinytown.engine.views import conducting
from tinytown.host.server import Server
from tinytown.missions.messages import pending_field
from tinytown.missions.records.agent import Message
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome
from tinytown.state.database import connect


@pytest.fixture
def a_town(server: Server):  # type: ignore[no-untyped-def]
    made = ATown(server.url, max_attempts=1)
    yield made
    made.close()


def look(a_town: ATown, command: str, **arguments: Any) -> Any:
    """What somebody sees who may only look."""
    return show(reader(a_town.context), command, arguments)["result"]


def texts(box: dict[str, Any]) -> list[str]:
    return [one["text"] for one in box["messages"]]


def records(a_town: ATown) -> dict[bytes, bytes]:
    """All that the town has on record, byte by byte."""
    client = connect(a_town.context.url, decode=False)
    prefix = a_town.context.store.keys.prefix.encode()
    found = {key: client.dump(key) for key in client.scan_iter(match=prefix + b"*")}
    client.close()
    return found


def test_a_look_changes_nothing(a_town: ATown) -> None:
    """Whoever looks, at whatever, and however often: the database is byte-identical."""
    a_town.begin(waits={1: ()})
    a_town.do(1, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    for to in ("ada", "conductor"):
        for kind in messages.KINDS:
            a_town.write(to, f"a {kind}", kind, sender="bob", urgent=kind == "info")
    before = records(a_town)
    for _ in range(2):
        for name in ("ada", "bob", "conductor", "supervisor", "operator"):
            for history in (False, True):
                look(a_town, "mail.read", name=name, history=history)
        for command, how in (("mail.all", {}), ("mail.all", {"most": 1}), ("list", {}), ("status", {"whole": True})):
            look(a_town, command, **how)
        conducting.text(a_town.context, "")
    assert records(a_town) == before


def test_what_is_pending_for_an_agent_is_counted_and_shown_the_urgent_first(a_town: ATown) -> None:
    for kind, text, urgent in (
        ("info", "the sky is blue", False),
        ("message", "use the form", False),
        ("ack", "thanks", False),
        ("query", "how far are you?", False),
        ("info", "the house burns", True),
        ("message", "and the button", False),
    ):
        a_town.write("ada", text, kind, urgent=urgent)
    counts = {"message": 2, "query": 1, "info": 2, "ack": 1}
    box = look(a_town, "mail.read", name="ada")
    assert box["counts"] == counts
    assert texts(box) == [
        "the house burns", "use the form", "and the button", "how far are you?", "the sky is blue", "thanks",
    ]  # fmt: skip
    assert all(one["pending"] for one in box["messages"])
    assert {one["name"]: one["pending"] for one in look(a_town, "list")} == {
        "ada": counts, "bob": dict.fromkeys(counts, 0),
    }  # fmt: skip
    (waiting,) = look(a_town, "mail.all", most=2)
    assert (waiting["name"], waiting["counts"], texts(waiting)) == ("ada", counts, ["the house burns", "use the form"])


def test_what_an_agent_got_is_history(a_town: ATown) -> None:
    """Also what left the mailbox, which keeps the newest, is shown while it is pending."""
    for number in range(3):
        a_town.write("ada", f"news {number}", "info")
    context = a_town.context
    (first, *_) = context.mail.pending("ada")
    change = context.store.change()
    change.got("ada", *context.mail.still_pending("ada", [pending_field(first)]))
    change.commit()
    context.store.client.xtrim(context.store.keys.mail("ada"), maxlen=1, approximate=False)
    assert texts(look(a_town, "mail.read", name="ada")) == ["news 1", "news 2"]
    box = look(a_town, "mail.read", name="ada", history=True)
    assert [(one["text"], one["pending"]) for one in box["messages"]] == [("news 1", True), ("news 2", True)]
    change = context.store.change()
    for message in context.mail.still_pending("ada", list(map(pending_field, context.mail.pending("ada")))):
        change.got("ada", message)
    change.commit()
    assert look(a_town, "mail.read", name="ada")["messages"] == []
    assert look(a_town, "mail.all") == []
    box = look(a_town, "mail.read", name="ada", history=True)
    assert [(one["text"], one["pending"]) for one in box["messages"]] == [("news 2", False)]


def test_the_conductors_questions_stay_and_the_rest_until_it_is_marked_as_read(a_town: ATown) -> None:
    """What came after the last message that was shown stays new; marking removes nothing."""
    context = a_town.context
    a_town.write("supervisor", "which database?", "query", sender="ada")
    a_town.write("operator", "I begin", "info", sender="ada")
    a_town.write("conductor", "by whom?", "query")
    box = look(a_town, "mail.read")
    assert texts(box) == ["which database?", "by whom?", "I begin"]
    assert box["counts"] == {"message": 0, "query": 2, "info": 1, "ack": 0} == look(a_town, "status")["inbox"]
    assert [one["reasons"] for one in box["questions"]] == [["which database?"]]
    a_town.write("conductor", "I am done", "info", sender="ada")
    mail.seen(operator(context), mail.Seen(box["last"]))
    box = look(a_town, "mail.read")
    assert [(one["text"], one["open"], one["pending"]) for one in box["messages"]] == [
        ("which database?", True, False), ("I am done", False, True),
    ]  # fmt: skip
    (waiting,) = look(a_town, "mail.all")
    assert (waiting["name"], waiting["counts"]) == ("conductor", {"message": 0, "query": 1, "info": 1, "ack": 0})
    a_town.write("ada", "the blue one")
    mail.seen(operator(context), mail.Seen(box["last"]))
    assert look(a_town, "mail.read")["messages"] == []
    box = look(a_town, "mail.read", history=True)
    assert [(one["text"], one["settled"]) for one in box["messages"]] == [
        ("which database?", True), ("I begin", False), ("by whom?", False), ("I am done", False),
    ]  # fmt: skip


def test_what_an_agent_asked_before_its_mission_ended_is_news_until_it_is_marked_as_read(a_town: ATown) -> None:
    """Nobody has to answer it any more, but nobody has read it either."""
    mission = a_town.begin(waits={1: ()})
    a_town.write("conductor", "where is the key?", "query", sender="ada", mission=mission.id)
    missions.cancel(a_town.context, mission.id)
    box = look(a_town, "mail.read")
    assert [(one["text"], one["settled"], one["pending"]) for one in box["messages"]] == [
        ("where is the key?", True, True)
    ]
    mail.seen(operator(a_town.context), mail.Seen(box["last"]))
    assert look(a_town, "mail.all") == []


def test_what_is_settled_is_new_to_nobody(a_town: ATown) -> None:
    """A mission that was helped needs nobody any more, whether or not somebody has read its cry."""
    mission = a_town.begin(waits={1: ()})
    a_town.do(1, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    box = look(a_town, "mail.read")
    assert (len(box["questions"]), len(box["messages"]), box["counts"]["query"]) == (1, 1, 1)
    items.retry(a_town.context, mission.id, "1")
    box = look(a_town, "mail.read")
    assert (box["questions"], box["messages"], box["counts"]["query"]) == ([], [], 0)
    (settled,) = look(a_town, "mail.read", history=True)["messages"]
    assert (settled["settled"], settled["pending"]) == (True, False)


def test_counts_read_no_messages(a_town: ATown) -> None:
    """What `tt list` and `tt status` read for them is a word a message."""
    context = a_town.context

    def sent() -> int:
        return int(context.store.client.info("stats")["total_net_output_bytes"])

    change = context.store.change()
    for number in range(3000):
        message = Message(id=f"m{number}", at=1.0, sender="operator", to="ada", kind="info", text="x" * 2000)
        change.message(message, pending=True)
        if number % 500 == 499:
            change.commit()
            change = context.store.change()
    before = sent()
    assert look(a_town, "list")[0]["pending"]["info"] == 3000
    look(a_town, "status")
    assert sent() - before < 300_000
