"""What tinytown writes at a forge says what was done, all of it, and who said so."""

from __future__ import annotations

from tests.fakes.builders import a_mission, an_item
from tinytown.missions import pull_request
from tinytown.missions.records.attempt import AttemptRecord, Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.states import Outcome, Purpose


def ended(number: int, purpose: Purpose, result: str = "", outcome: Outcome = Outcome.SUCCEEDED) -> AttemptRecord:
    report = Report(outcome=outcome, result=result)
    return AttemptRecord(
        id=f"a/{number}", item="octo/site#1", number=number, purpose=purpose, sent_at=0.0, ended_at=1.0, report=report
    )


def done(*attempts: AttemptRecord) -> str:
    text = pull_request.body(an_item(title="Add a page"), a_mission(), attempts=attempts)
    return text.partition("### What was done\n\n")[2].partition("\n\n### How it stands")[0]


def test_the_work_is_still_told_after_fix_rounds() -> None:
    """Else a pull request would be described by the last thing that was mended in it."""
    told = done(
        ended(1, Purpose.WORK, "tried", Outcome.FAILED),
        ended(2, Purpose.WORK, "Added the page.\n"),
        ended(3, Purpose.PUBLISH, "no agent's words"),
        ended(4, Purpose.FIX, "Mended a link."),
        ended(5, Purpose.REVIEW, "no work"),
        ended(6, Purpose.FIX),
        ended(7, Purpose.FIX, "Mended the title."),
    )
    assert told == "Added the page.\n\n**Fix round 1:** Mended a link.\n\n**Fix round 2:** Mended the title."


def test_work_that_is_done_again_is_told_as_it_is_now() -> None:
    assert done(ended(1, Purpose.WORK, "Old"), ended(2, Purpose.FIX, "Mended"), ended(3, Purpose.WORK, "New")) == "New"


def test_an_agent_that_says_nothing_leaves_the_title() -> None:
    assert done(ended(1, Purpose.WORK)) == "Add a page."


def test_a_review_names_who_reviewed_what() -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    for passed, said in ((True, "approved"), (False, "changes requested to")):
        record = ended(1, Purpose.REVIEW).evolve(agent="rita")
        verdict = Verdict(passed=passed, sha=sha, why="" if passed else "Say why")
        told = pull_request.review_words(record.evolve(report=record.report.evolve(verdict=verdict)))
        assert told.startswith(f"**Reviewed by `rita` for tinytown: {said} `0123456789`**")
        assert told.endswith("**" if passed else "\n\nSay why")
