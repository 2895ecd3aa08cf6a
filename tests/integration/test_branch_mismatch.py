"""Where an agent ended is no result if that would undo what others did: its branch counts, the rest is kept by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.attempts import BRANCH, WORK, Bench, a_bench
from tests.fakes.repositories import Repository
from tinytown_workers.collect import kept_refs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return a_bench(tmp_path)


def orphan(copy: Repository) -> None:
    copy.git("checkout", "-q", "--orphan", "x")
    copy.git("rm", "-rfq", ".")
    copy.commit("Alone", {"work.txt": WORK})


def orphan_that_was_not_committed(copy: Repository) -> None:
    copy.git("checkout", "-q", "--orphan", "x")
    copy.git("rm", "-rfq", ".")
    copy.write({"work.txt": WORK})


def orphan_with_more_beside_it(copy: Repository) -> None:
    orphan(copy)
    copy.write({"beside.txt": "beside\n"})


def orphan_in_place_of_its_branch(copy: Repository) -> None:
    orphan(copy)
    copy.git("branch", "-q", "-M", "x", BRANCH)


def from_long_before(copy: Repository) -> None:
    copy.git("checkout", "-q", "-b", "x", "HEAD~1")
    copy.commit("Old", {"work.txt": WORK})


def back_to_long_before(copy: Repository) -> None:
    copy.git("reset", "-q", "--hard", "HEAD~1")
    copy.commit("Old", {"work.txt": WORK})


def looking_back_with_files_in_hand(copy: Repository) -> None:
    copy.git("checkout", "-q", "HEAD~1")
    copy.write({"work.txt": WORK})


def half_of_the_tree_made_the_whole(copy: Repository) -> None:
    copy.commit("Mine", {"src/work.txt": WORK})
    copy.git("filter-branch", "-f", "--subdirectory-filter", "src", "HEAD", env=QUIET)


def a_file_filtered_out_of_all_history(copy: Repository) -> None:
    copy.commit("Mine", {"work.txt": WORK})
    copy.git(
        "filter-branch", "-f", "--index-filter", "git rm -q --cached --ignore-unmatch README.md", "HEAD", env=QUIET
    )


def grafted_to_nothing(copy: Repository) -> None:
    copy.git("replace", "--graft", "HEAD")
    orphan(copy)


def shown_another_start(copy: Repository) -> None:
    copy.git("checkout", "-q", "--orphan", "y")
    copy.git("rm", "-rfq", ".")
    other = copy.commit("Other", {"other.txt": "other\n"})
    copy.git("switch", "-q", BRANCH)
    copy.git("replace", BRANCH, other)
    copy.git("reset", "-q", "--hard")
    copy.write({"work.txt": WORK})


def shown_another_start_and_went_on_from_it(copy: Repository) -> None:
    shown_another_start(copy)
    copy.commit("Mine")


QUIET = {"FILTER_BRANCH_SQUELCH_WARNING": "1", "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("leave", "away", "kept"),
    [
        (orphan, "it ended on branch `x`, which lacks what was done to README.md, f, g and 1 more", "branch/x"),
        (orphan_that_was_not_committed, "", None),
        (orphan_with_more_beside_it, "it ended on branch `x`, which lacks ", "branch/x"),
        (orphan_in_place_of_its_branch, f"it ended on branch `{BRANCH}`, which lacks ", "own"),
        (from_long_before, "it ended on branch `x`, which lacks what was done to f, g before it began", "branch/x"),
        (back_to_long_before, f"it ended on branch `{BRANCH}`, which lacks what was done to f, g", "own"),
        (looking_back_with_files_in_hand, "it ended at commit ", "files"),
        (half_of_the_tree_made_the_whole, "which lacks what was done to README.md, ", "own"),
        (a_file_filtered_out_of_all_history, "which lacks what was done to README.md before it began", "own"),
        (shown_another_start, "`git replace` hid what was done to README.md, f, g and 2 more", "files"),
        (shown_another_start_and_went_on_from_it, f"it ended on branch `{BRANCH}`, whose files are not ", "own"),
        (grafted_to_nothing, "it ended on branch `x`, which lacks ", "branch/x"),
    ],
)
def test_what_lacks_the_work_of_others_is_no_change(
    bench: Bench, leave: Callable[[Repository], None], away: str, kept: str | None
) -> None:
    leave(bench.copy)
    collected = bench.collect()
    assert collected.head is None
    assert away in collected.away
    assert bench.holds()
    if kept is not None:
        assert kept in [one.label for one in collected.kept]
    assert bench.collect() == collected, "collecting again changes nothing"

    start = bench.next()
    assert start.head is None
    assert any(one.is_work for one in start.elsewhere)
    assert "of attempt 1" in bench.told(start)
    name = next(ref for one, ref in kept_refs.in_clone(start.elsewhere, BRANCH) if kept in (None, one.label))
    assert WORK.strip() in bench.copy.git("grep", "-h", WORK.strip(), name)
    assert bench.copy.git("status", "--porcelain") == ""


def test_files_in_hand_are_kept_beside_the_commits_of_the_branch(bench: Bench) -> None:
    """It did its work, then looked at another commit, where something was left lying."""
    made = bench.copy.commit("Mine", {"mine.txt": "mine\n"})
    for place in ([f"{made}~1"], [f"{made}~2"], ["--orphan", "x"]):
        bench.copy.git("checkout", "-q", "-f", *place)
        bench.copy.write({"work.txt": WORK})
        collected = bench.collect()
        assert (collected.head, collected.files) == (made, ("mine.txt",))
        assert collected.away.startswith("it ended ")
        assert "files" in [one.label for one in collected.kept]
        assert bench.holds()


@pytest.mark.parametrize("commit", [False, True])
def test_what_git_was_told_not_to_check_out_is_not_removed(bench: Bench, commit: bool) -> None:
    """What is removed by git's own word is."""
    bench.copy.git("sparse-checkout", "set", "--no-cone", "/README.md")
    assert not (bench.copy.root / "src").exists()
    bench.copy.write({"README.md": WORK})
    bench.copy.git("rm", "-q", "--cached", "--sparse", "f")
    if commit:
        bench.copy.commit("Mine")
    collected = bench.collect()
    assert (collected.files, collected.away) == (("README.md", "f"), "")


def amended(copy: Repository) -> None:
    copy.write({"work.txt": WORK, "f": "2\n"})
    copy.git("add", "-A")
    copy.git("commit", "-q", "--amend", "--no-edit")


def squashed_with_the_commit_before(copy: Repository) -> None:
    copy.git("reset", "-q", "--soft", "HEAD~1")
    copy.commit("All of it", {"work.txt": WORK, "f": "2\n"})


def with_other_authors(copy: Repository) -> None:
    copy.commit("Mine", {"work.txt": WORK, "f": "2\n"})
    copy.git("filter-branch", "-f", "--env-filter", "GIT_AUTHOR_NAME=other", "HEAD", env=QUIET)


def begun_anew_with_all_files(copy: Repository) -> None:
    copy.git("checkout", "-q", "--orphan", "x")
    copy.commit("All", {"work.txt": WORK, "f": "2\n"})


def taken_back_but_not_its_files(copy: Repository) -> None:
    copy.git("reset", "-q", "HEAD~1")
    copy.write({"work.txt": WORK, "f": "2\n"})


@pytest.mark.parametrize(
    "rewrite",
    [
        amended,
        squashed_with_the_commit_before,
        with_other_authors,
        begun_anew_with_all_files,
        taken_back_but_not_its_files,
    ],
)
def test_a_history_that_was_rewritten_counts_by_its_files_if_they_hold_all(
    bench: Bench, rewrite: Callable[[Repository], None]
) -> None:
    rewrite(bench.copy)
    collected = bench.collect()
    assert collected.files == ("f", "work.txt")
    assert collected.away == ""


def test_earlier_work_of_the_same_item_may_be_dropped(bench: Bench) -> None:
    """What an attempt before did is its successor's to throw away; what stands on the base is not."""
    bench.copy.commit("Wrong", {"wrong.txt": "wrong\n"})
    bench.collect()
    bench.next()
    bench.copy.git("reset", "-q", "--hard", bench.base)
    bench.copy.commit("Right", {"work.txt": WORK})
    collected = bench.collect()
    assert (collected.files, collected.away) == (("work.txt", "wrong.txt"), "")

    bench.next()
    bench.copy.git("reset", "-q", "--hard", f"{bench.base}~1")
    bench.copy.commit("Far", {"work.txt": "far\n"})
    assert "which lacks what was done to f, g before it began" in bench.collect().away
