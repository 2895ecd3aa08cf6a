"""The page of what a town survives is what a campaign counted, and that was all that the suite has."""

from __future__ import annotations

import json

from tests.survival import campaign, cut_hosts, page
from tests.survival.chaos import PROMISED, WEIGHTS

RESULTS = json.loads(campaign.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_made_from_the_results() -> None:
    """`make survival` writes both; `python -m tests.survival.page` only the page."""
    assert page.PAGE.read_text(encoding="utf-8") == page.render(RESULTS)


def test_the_results_are_those_of_the_whole_suite() -> None:
    """Whoever adds a kind of story or fault runs the campaign again."""
    assert RESULTS["stories"]["seeds"].keys() == campaign.STORIES.keys()
    assert RESULTS["hosts"]["recovery"].keys() == cut_hosts.PROMISED.keys() == page.UNTIL.keys()
    assert RESULTS["chaos"]["recovery"].keys() == PROMISED.keys() == WEIGHTS.keys() == page.FAULTS.keys()


def test_what_was_counted_is_what_is_promised() -> None:
    stories, live, cut = RESULTS["stories"], RESULTS["chaos"], RESULTS["hosts"]
    assert sum(stories["seeds"].values()) >= 2000
    assert RESULTS["again"]["told"] == RESULTS["again"]["same"] >= 2000 / campaign.AGAIN
    assert sum(row["faults"] for row in live["recovery"].values()) >= 500
    for runs in (live, cut):
        assert runs["lost"] == runs["twice"] == runs["early"] == runs["reused"] == 0
    # What broke a rule has a test of its own by now.
    assert len(stories.get("mended", [])) == stories["violations"]
    for name in stories.get("mended", []):
        file, _, test = name.partition("::")
        assert f"def {test}(" in (page.PAGE.parents[1] / file).read_text(encoding="utf-8")
    promised = {**PROMISED, **cut_hosts.PROMISED}
    times = {**live["recovery"], **cut["recovery"]}
    assert {kind: row for kind, row in times.items() if row["p99"] > promised[kind]} == {}
