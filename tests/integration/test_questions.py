"""What stays listed until it is answered."""

from __future__ import annotations

import pytest

from tests.fakes.builders import key
from tests.story.arranged import ATown
from tinytown.engine.conductor.questions import answer_to, is_asked_by, is_settled, open_questions
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import missions
from tinytown.host.server import Server
from tinytown.missions.records.agent import Message
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome
from tinytown.state.mail import CONDUCTOR, seen_by


@pytest.fixture
def town(server: Server):  # type: ignore[no-untyped-def]
    made = ATown(server.url, max_attempts=1)
    yield made
    made.close()


def test_an_agents_question_is_open_until_a_person_writes_to_it(town: ATown) -> None:
    """Neither reading it nor another agent's chatter answers it; its message is told from others by its time."""
    context = town.context
    mission = town.begin(waits={1: ()})
    for to, words, sender, kind in (
        (CONDUCTOR, "where is the key?", "ada", "query"),
        (CONDUCTOR, "done soon", "ada", "info"),
        ("ada", "look", "bob", "message"),
    ):
        town.write(to, words, sender=sender, kind=kind, mission=mission.id)
    context.mail.mark_seen(CONDUCTOR, context.mail.read(CONDUCTOR)[-1].place)
    (question,) = open_questions(context)
    assert (question.sender, question.reasons, question.answer) == ("ada", ("where is the key?",), 'tt send ada "…"')
    assert [is_asked_by(m, [question]) for m in context.mail.read(CONDUCTOR)] == [True, False]
    assert not any(is_settled(m, [question], {"ada"}) for m in context.mail.read(CONDUCTOR))
    town.write("ada", "below the mat", sender="operator")
    assert open_questions(context) == []
    town.write(CONDUCTOR, "which mat?", sender="ada", kind="query", mission=mission.id)
    assert len(open_questions(context)) == 1
    town.write("ada", "the blue one", sender="bob", kind="ack")
    assert open_questions(context) == []
    town.write(CONDUCTOR, "blue?", sender="ada", kind="query", mission=mission.id)
    missions.cancel(context, mission.id)
    assert open_questions(context) == [], "nobody waits for it any more"
    town.write(CONDUCTOR, "anybody?", sender="operator", kind="query")
    last = context.mail.read(CONDUCTOR)[-2:]
    assert [is_settled(m, [], context.crew.agents()) for m in last] == [True, False], "a person's is not watched"


def test_a_missions_question_is_open_while_its_help_stands(town: ATown) -> None:
    """All its messages since it began to ask belong to it; those of an earlier cry do not."""
    context = town.context
    mission = town.begin(waits={1: ()})
    town.do(1, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    (first,) = context.mail.read(CONDUCTOR)
    operate_items.retry(context, mission.id, "1")
    assert open_questions(context) == []
    town.pass_time(60)
    town.do(1, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    (question,) = open_questions(context)
    second = context.mail.read(CONDUCTOR)[-1]
    assert (question.mission, question.asked) == (mission.id, 1)
    assert [is_asked_by(m, [question]) for m in (first, second)] == [False, True]
    assert [is_settled(m, [question], {"ada"}) for m in (first, second)] == [True, False]
    answer = f'tt mission note {mission.short} "resume|retry 1|redirect 1 to AGENT|pause|cancel 1"'
    assert question.answer == answer
    assert f"Answer with `{answer}`." in second.text
    missions.cancel(context, mission.id)
    assert is_settled(second, open_questions(context), ()), "its mission has ended"
    assert town.item(1).key == key(1)


@pytest.mark.parametrize(
    ("reasons", "says"),
    [
        (("Issue #7 failed: no",), "resume|retry 7|redirect 7 to AGENT|pause|cancel 7"),
        (("Issue local/a#7 waits (needs help): no",), "resume|retry local/a#7|redirect local/a#7 to AGENT"),
        (("Issue #7 failed: no", "Issue #8 failed: see Issue #9 "), "resume|retry all|redirect ITEM to AGENT|pause|"),
        (("the record of Issue #7 is damaged",), "resume|retry ITEM|"),
    ],
)
def test_the_answer_names_the_item_that_it_is_about(town: ATown, reasons: tuple[str, ...], says: str) -> None:
    mission = town.begin(waits={1: ()})
    assert answer_to(mission, reasons).startswith(f'tt mission note {mission.short} "{says}')


def test_what_a_note_cannot_give_is_answered_by_its_own_command(town: ATown) -> None:
    """An approval, or a merge by hand; with other questions beside it, the note answers those."""
    mission = town.begin(waits={1: ()})
    run = mission.short
    said = f"Issue #7 waits (approval): it touches x; look at `tt work show 7`, then `tt mission approve {run} 7`"
    assert answer_to(mission, (said,)) == f"tt mission approve {run} 7"
    assert answer_to(mission, (f"Issue #7 waits (merge): merge tt/x, or `tt mission merge {run} 7`",)) == (
        f"tt mission merge {run} 7"
    )
    assert answer_to(mission, (said, "Issue #8 failed: no")).startswith("tt mission note")


@pytest.mark.parametrize(
    ("position", "place", "seen"),
    [
        ("-", "1-0", False),
        ("9-0", "10-0", False),
        ("10-0", "9-5", True),
        ("10-1", "10-1", True),
        ("10-1", "10-2", False),
    ],
)
def test_places_in_a_mailbox_are_compared_as_numbers(position: str, place: str, seen: bool) -> None:
    message = Message(place=place, at=1, sender="a", to="b", text="c")
    assert seen_by(position, message) is seen
