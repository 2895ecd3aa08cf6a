"""Who is meant by a name: of whom messages are, and to whom they go."""

from __future__ import annotations

import pytest

from tests.story.arranged import ATown
from tinytown.commands import mail
from tinytown.commands.table import agent, operator
from tinytown.engine.conductor import names
from tinytown.engine.operate import agents
from tinytown.engine.plan import by_hand
from tinytown.errors import ConfigurationError, NotFoundError, StateError, TinytownError
from tinytown.host.server import Server
from tinytown.state.mail import CONDUCTOR


@pytest.fixture
def town(server: Server):  # type: ignore[no-untyped-def]
    made = ATown(server.url)
    yield made
    made.close()


@pytest.mark.parametrize("word", ["conductor", "supervisor", "operator", "Supervisor", " conductor "])
def test_the_conductor_and_the_person_have_one_mailbox(town: ATown, word: str) -> None:
    """Whatever they are called: an answer is where the next look is."""
    assert names.recipient(town.context, word) == CONDUCTOR
    sent = mail.Send(word, "where is the key?", "query")
    mail.send(operator(town.context), sent)
    assert [m.text for m in town.context.mail.read(CONDUCTOR)] == ["where is the key?"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("adda", "there is no agent `adda`; did you mean `ada`? Else see `tt list`"),
        ("worker", "there is no agent `worker`, it is a role: agents that have it are `ada`, `bob`; name one of them"),
        ("qa", "there is no agent `qa`, it is a role that no agent has; run `tt spawn qa` first"),
        ("conducter", "did you mean `conductor`?"),
        ("checks", "there is no agent `checks`"),
        ("", "there is no agent ``"),
        ("é" * 500, "there is no agent `" + "é" * 80 + "`;"),
    ],
)
def test_a_name_that_nobody_has_leads_to_one(town: ATown, word: str, said: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        mail.send(operator(town.context), mail.Send(word, "hello"))
    assert said in str(refused.value)


def test_the_sender_is_somebody_who_is_there(town: ATown) -> None:
    """One's own name needs no word; nobody writes in the name of somebody unknown."""
    for word, name in (("", "operator"), ("operator", "operator"), ("supervisor", "conductor"), ("ada", "ada")):
        assert names.sender(town.context, word) == name
    with pytest.raises(NotFoundError, match="there is no agent `lead`"):
        mail.send(operator(town.context), mail.Send("ada", "hello", sender="lead"))
    assert town.context.mail.count("ada") == 0


class _Run:
    """The run of ``ada``, as far as messages are concerned."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def task_current(self) -> dict[str, str]:
        return {"agent": "ada"}

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> dict[str, str]:
        self.sent.append(to)
        return {"id": "1-0"}


def test_an_agent_writes_in_its_own_name() -> None:
    run = _Run()
    for sender in ("", "ada"):
        mail.send(agent(run), mail.Send("bob", "hello", sender=sender))  # type: ignore[arg-type]
    for sender in ("bob", "operator", "conductor"):
        with pytest.raises(StateError, match="an agent writes in its own name"):
            mail.send(agent(run), mail.Send("bob", "hello", sender=sender))  # type: ignore[arg-type]
    assert run.sent == ["bob", "bob"]


@pytest.mark.parametrize("word", sorted(names.RESERVED))
def test_no_agent_is_called_like_a_part_of_the_town(town: ATown, word: str) -> None:
    """Neither by its name nor by its nickname, however that is written."""
    for name, nickname in ((word, ""), ("eve", word.title())):
        with pytest.raises(ConfigurationError, match=r"is the conductor|is the name of a part"):
            agents.spawn(town.context, name, nickname=nickname)
    assert "eve" not in town.context.crew.agents()


@pytest.mark.parametrize("word", sorted(names.RESERVED - {"server"}))
def test_what_is_no_agent_takes_no_tasks(town: ATown, word: str) -> None:
    """Nobody could ever be spawned to do them; `server` is another word for a role."""
    with pytest.raises(ConfigurationError, match="takes no tasks"):
        by_hand.assign(town.context, by_hand.Assignment(word, "sweep the floor"))


@pytest.mark.parametrize(
    ("text", "said"), [("", "no text"), (" \n\t", "no text"), ("x" * 10_001, "more than 10000 characters")]
)
def test_a_message_says_something_and_not_too_much(town: ATown, text: str, said: str) -> None:
    with pytest.raises(TinytownError, match=said):
        mail.send(operator(town.context), mail.Send("ada", text))
    mail.send(operator(town.context), mail.Send("ada", "é" * 10_000))
