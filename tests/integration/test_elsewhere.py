"""Work that lies elsewhere in the clone than on its branch is kept, named, and there for the next attempt; what git was
in the middle of is no result."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.attempts import BRANCH, WORK, Bench, a_bench
from tests.fakes.repositories import Repository
from tinytown.git.repository import Git
from tinytown_workers.collect import content_policy, kept_refs
from tinytown_workers.workspace import workspace


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return a_bench(tmp_path)


# -- where work can lie ------------------------------------------------------------------------------


def stashed(copy: Repository) -> None:
    copy.write({"work.txt": WORK})
    copy.git("stash", "-u")


def on_a_side_branch(copy: Repository) -> None:
    copy.git("switch", "-q", "-c", "side")
    copy.commit("Mine", {"work.txt": WORK})
    copy.git("switch", "-q", BRANCH)


def under_a_tag(copy: Repository) -> None:
    on_a_side_branch(copy)
    copy.git("tag", "-a", "-m", "Kept", "v1", "side")
    copy.git("branch", "-q", "-D", "side")


def in_a_note(copy: Repository) -> None:
    copy.git("notes", "add", "-m", WORK.strip(), "HEAD")


def staged_alone(copy: Repository) -> None:
    copy.write({"work.txt": WORK})
    copy.git("add", "work.txt")
    (copy.root / "work.txt").unlink()


def staged_over(copy: Repository) -> None:
    staged_alone(copy)
    copy.write({"work.txt": "other\n"})
    copy.git("add", "work.txt")
    (copy.root / "work.txt").unlink()


def reset_away(copy: Repository) -> None:
    copy.commit("Mine", {"work.txt": WORK})
    copy.git("reset", "-q", "--hard", "HEAD^")


def dropped_from_the_stash(copy: Repository) -> None:
    stashed(copy)
    copy.git("stash", "drop")


def in_a_packed_stash(copy: Repository) -> None:
    stashed(copy)
    copy.write({"second.txt": "2\n"})
    copy.git("stash", "-u")
    copy.git("gc", "-q")
    copy.git("pack-refs", "--all")


def committed_in_a_worktree(copy: Repository) -> None:
    copy.git("worktree", "add", "-q", "tree", "-b", "other")
    Repository(copy.root / "tree").commit("Mine", {"work.txt": WORK})


def detached_in_a_worktree(copy: Repository) -> None:
    copy.git("worktree", "add", "-q", "--detach", "trees/one")
    Repository(copy.root / "trees/one").commit("Mine", {"work.txt": WORK})


def in_a_worktree(copy: Repository) -> None:
    copy.git("worktree", "add", "-q", "deep/tree", "-b", "other")
    Repository(copy.root / "deep/tree").write({"work.txt": WORK})


def in_the_scratch_folder(copy: Repository) -> None:
    scratch = copy.root.with_name(f"{copy.root.name}.tmp")
    scratch.mkdir()
    copy.git("worktree", "add", "-q", str(scratch / "tree"), "-b", "other")
    Repository(scratch / "tree").write({"work.txt": WORK})


def beside_the_clone(copy: Repository) -> None:
    copy.git("worktree", "add", "-q", "../tree", "-b", "other")
    Repository(copy.root.parent / "tree").write({"work.txt": WORK})


@pytest.mark.parametrize(
    ("leave", "said", "told", "find"),
    [
        (stashed, "a stash", "`git stash`: a stash of attempt 1", "stash^3:work.txt"),
        (on_a_side_branch, "branch `side`", "`side`: branch `side` of attempt 1", "side:work.txt"),
        (under_a_tag, "tag `v1`", "`v1`: tag `v1` of attempt 1", "v1:work.txt"),
        (in_a_note, "ref `notes/commits`", "`attempt-1/ref/notes/commits`: ", None),
        (staged_alone, "its index", "`attempt-1/staged`: its index", "attempt-1/staged:work.txt"),
        (staged_over, "its index", "`attempt-1/pieces`: ", "attempt-1/pieces:0000-content"),
        (reset_away, "which no branch holds", "`attempt-1/loose/1`: commit ", "attempt-1/loose/1:work.txt"),
        (dropped_from_the_stash, "which no branch holds", "`attempt-1/loose/1`", "attempt-1/loose/1^3:work.txt"),
        (in_a_packed_stash, "stash 1", "`attempt-1/stash/1`: stash 1", "attempt-1/stash/1^3:work.txt"),
        (committed_in_a_worktree, "branch `other`", "`other`: branch `other`", "other:work.txt"),
        (detached_in_a_worktree, "which no branch holds", "`attempt-1/loose/1`", "attempt-1/loose/1:work.txt"),
        (in_a_worktree, "worktree `tree`", "`attempt-1/worktree/tree`", "attempt-1/worktree/tree:work.txt"),
        (beside_the_clone, "worktree `tree`", "`attempt-1/worktree/tree`", "attempt-1/worktree/tree:work.txt"),
        (in_the_scratch_folder, "worktree `tree`", "`attempt-1/worktree/tree`", "attempt-1/worktree/tree:work.txt"),
    ],
)  # fmt: skip
def test_what_lies_elsewhere_is_kept_and_told(
    bench: Bench, leave: Callable[[Repository], None], said: str, told: str, find: str | None
) -> None:
    leave(bench.copy)
    collected = bench.collect()
    assert not collected.changed
    assert said in kept_refs.sentence(collected.kept)
    assert bench.holds()
    assert collected.refused == ()
    assert bench.collect() == collected, "collecting again changes nothing"
    workspace.remove(bench.prepared.folder)

    start = bench.next()
    assert start.head is None
    assert told in bench.told(start)
    if find is not None:
        assert bench.copy.show(find) == WORK.strip()
    assert bench.copy.git("status", "--porcelain") == ""
    # What was there when it began is not left by it.
    assert bench.collect().kept == ()
    Repository(bench.mirror).git("fsck", "--strict")


def test_a_stash_can_be_popped_and_a_branch_merged_by_the_next_attempt(bench: Bench) -> None:
    on_a_side_branch(bench.copy)
    bench.copy.write({"stashed.txt": "s\n"})
    bench.copy.git("stash", "-u")
    bench.collect()
    bench.next()
    bench.copy.git("stash", "pop")
    bench.copy.git("merge", "-q", "side")
    collected = bench.collect()
    assert collected.files == ("stashed.txt", "work.txt")
    # Its content is in the change now, so nobody is told again, whether or not that was the end.
    assert "side" not in bench.told(bench.next())


def test_an_attempt_that_ended_well_settles_what_was_left_behind_before(bench: Bench) -> None:
    reset_away(bench.copy)
    bench.collect()
    bench.next()
    bench.copy.commit("Good", {"good.txt": "g\n"})
    bench.copy.git("commit", "-q", "--amend", "-m", "Better")
    on_a_side_branch(bench.copy)
    head = bench.collect().head
    start = bench.next(head=head)
    assert (start.head, start.unfinished) == (head, False)
    assert [one.label for one in start.elsewhere] == ["branch/side"], "of its own leavings, only what it meant to keep"


def test_work_beside_the_branch_does_not_hide_work_on_it(bench: Bench) -> None:
    bench.copy.commit("First", {"first.txt": "1\n"})
    on_a_side_branch(bench.copy)
    bench.copy.write({"second.txt": "2\n"})
    collected = bench.collect()
    assert collected.files == ("first.txt", "second.txt")
    assert [str(one) for one in collected.kept] == ["branch `side`"]


def test_a_history_that_is_not_taken_is_kept_or_named(bench: Bench) -> None:
    """The branch was rewritten; and another holds a link out of the tree, so only its contents can be kept."""
    bench.copy.git("checkout", "-q", "--orphan", "fresh")
    bench.copy.commit("Rewritten", {"work.txt": WORK})
    bench.copy.git("branch", "-q", "-f", BRANCH)
    bench.copy.git("switch", "-q", "-c", "bad")
    (bench.prepared.folder / "out").symlink_to("/etc")
    bench.copy.commit("Bad", {"inner/other.txt": "other\n"})
    bench.copy.git("switch", "-q", BRANCH)
    collected = bench.collect()
    assert "work.txt" in collected.files
    assert {one.label for one in collected.kept} == {"own", "branch/fresh", "pieces"}
    assert bench.holds("other\n")
    assert any(reason.startswith("out: a link out of the tree") for reason in collected.refused)


def test_what_is_too_large_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_policy, "FILE_LIMIT", 1000)
    bench.copy.write({"work.txt": WORK, "huge.bin": "x" * 2000})
    bench.copy.git("add", "-A")
    bench.copy.git("stash")
    bench.copy.write({"staged.bin": "y" * 2000})
    bench.copy.git("add", "-A")
    (bench.prepared.folder / "staged.bin").unlink()
    collected = bench.collect()
    assert bench.holds()
    assert {reason.split(":")[0] for reason in collected.refused} == {"huge.bin", "staged.bin"}
    assert workspace.waits(bench.prepared.folder), "for they are nowhere else"


def test_a_worktree_outside_of_the_attempts_folders_is_not_looked_into(bench: Bench, tmp_path: Path) -> None:
    bench.copy.git("worktree", "add", "-q", str(tmp_path / "far"), "-b", "other")
    Repository(tmp_path / "far").write({"secret.txt": WORK})
    # Nor one that only pretends to be inside.
    (bench.prepared.folder / "link").symlink_to(tmp_path / "far")
    admin = bench.prepared.folder / ".git/worktrees"
    (admin / "second").mkdir()
    (admin / "second/gitdir").write_text(f"{bench.prepared.folder}/link/.git\n")
    collected = bench.collect()
    assert not bench.holds()
    assert any(
        reason.startswith(f"worktree far: it is outside the clone, in {tmp_path}") for reason in collected.refused
    )
    assert any(reason.startswith("worktree second: ") for reason in collected.refused)


def test_very_many_versions_are_kept_in_few_refs(bench: Bench) -> None:
    bench.copy.commit("0", {"a.txt": "0\n"})
    for number in range(1, 60):
        bench.copy.write({"a.txt": f"{number}\n"})
        bench.copy.git("commit", "-q", "-a", "--amend", "-m", str(number))
    collected = bench.collect()
    assert len(collected.kept) == 6
    assert all(bench.holds(f"{number}\n") for number in (0, 30, 58, 59))
    assert "rest" not in bench.told(bench.next())


def test_odd_names_of_refs_are_kept_apart(bench: Bench) -> None:
    shas = [bench.copy.git("commit-tree", "-m", name, "HEAD^{tree}") for name in "abcd"]
    git_dir = bench.prepared.folder / ".git"
    long = "x" * 200
    packed = [f"{shas[0]} refs/heads/side", f"{shas[1]} refs/heads/side/deep", f"{shas[2]} refs/heads/1/branch/2"]
    (git_dir / "packed-refs").write_text("".join(f"{line}\n" for line in [*packed, f"{shas[3]} refs/heads/{long}"]))
    (git_dir / "refs/heads/loop").write_text("ref: refs/heads/loop\n")
    (git_dir / "refs/heads/linked").symlink_to(git_dir / "HEAD")
    collected = bench.collect()
    assert {one.sha for one in collected.kept} == set(shas)
    own = Git.own(bench.mirror)
    assert {own.commit(one.ref) for one in collected.kept} == set(shas)
    start = bench.next()
    assert {one.attempt for one in start.elsewhere} == {1}
    assert bench.copy.git("status", "--porcelain") == ""
    assert {bench.copy.rev(ref) for _, ref in kept_refs.in_clone(start.elsewhere, BRANCH)} == set(shas)


@pytest.mark.parametrize("name", ["füge-hinzu", "fix(parser)", "it's,me!", "修复/一"])
@pytest.mark.parametrize("back", [True, False])
def test_a_branch_may_have_any_name_that_git_takes(bench: Bench, name: str, back: bool) -> None:
    """Left behind it is kept by that name; where HEAD is on it, it is the work, with its commits as they are."""
    bench.copy.git("switch", "-q", "-c", name)
    made = bench.copy.commit("Mine", {"work.txt": WORK})
    if back:
        bench.copy.git("switch", "-q", BRANCH)
    collected = bench.collect()
    assert collected.refused == ()
    if not back:
        assert collected.head == made
        return
    assert kept_refs.sentence(collected.kept).startswith(f"also kept: branch `{name}`")
    assert f"`{name}`: branch `{name}`" in bench.told(bench.next())
    assert bench.copy.rev(f"refs/heads/{name}") == made


@pytest.mark.parametrize("begin", ["--orphan other", "-c other HEAD~1"])
def test_work_that_does_not_continue_from_the_start_is_the_same_when_it_is_collected_again(
    bench: Bench, begin: str
) -> None:
    """As after the death of a worker: that its branch was kept does not make the agent's commits somebody else's."""
    bench.copy.git("switch", "-q", *begin.split())
    bench.copy.commit("Mine", {"work.txt": WORK})
    collected = bench.collect()
    assert (collected.changed, bool(collected.away)) == (False, True)
    assert bench.holds()
    assert bench.collect() == collected


def test_a_worktree_that_is_named_from_where_it_is_recorded_is_found(bench: Bench) -> None:
    """As git does from 2.48 on with `worktree.useRelativePaths`."""
    bench.copy.git("worktree", "add", "-q", "tree", "-b", "other")
    (bench.prepared.folder / ".git/worktrees/tree/gitdir").write_text("../../../tree/.git\n")
    bench.copy.write({"tree/work.txt": WORK})
    collected = bench.collect()
    assert collected.refused == ()
    assert bench.holds()


# -- operations that were not finished ---------------------------------------------------------------


def clash(copy: Repository) -> None:
    """Commits B and C on the branch, and a branch `tmp` that is at odds with B."""
    copy.git("switch", "-q", "-c", "tmp")
    copy.commit("T", {"f": "tmp\n"})
    copy.git("switch", "-q", BRANCH)
    copy.commit("B", {"f": "mine\n"})
    copy.commit("C", {"other.txt": WORK})


def rebasing(copy: Repository) -> None:
    copy.git("rebase", "tmp", code=1)


def rebasing_by_patches(copy: Repository) -> None:
    copy.git("rebase", "--apply", "tmp", code=1)


def rebasing_another_branch(copy: Repository) -> None:
    copy.git("switch", "-q", "-c", "feature")
    rebasing(copy)


def merging(copy: Repository) -> None:
    copy.git("merge", "tmp", code=1)


def merging_without_conflict(copy: Repository) -> None:
    copy.git("merge", "--no-commit", "--no-ff", "-s", "ours", "tmp")


def picking(copy: Repository) -> None:
    copy.git("cherry-pick", "tmp", code=1)


def picking_several(copy: Repository) -> None:
    copy.git("switch", "-q", "tmp")
    copy.commit("U", {"g": "2\n"})
    copy.git("switch", "-q", BRANCH)
    copy.git("cherry-pick", "tmp", "tmp^", code=1)


def reverting(copy: Repository) -> None:
    copy.commit("D", {"f": "once more\n"})
    copy.git("revert", "--no-edit", "HEAD~2", code=1)


def applying_mail(copy: Repository) -> None:
    patch = copy.git("format-patch", "-1", "--stdout", "tmp")
    (copy.root / ".git/patch").write_text(f"{patch}\n")
    copy.git("am", ".git/patch", code=128)


def bisecting(copy: Repository) -> None:
    copy.git("bisect", "start", "HEAD", "HEAD~2")


def popping_a_stash(copy: Repository) -> None:
    copy.write({"f": "stashed\n"})
    copy.git("stash")
    copy.commit("E", {"f": "meanwhile\n"})
    copy.git("stash", "pop", code=1)


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (rebasing, "a rebase half done: f"),
        (rebasing_by_patches, "a rebase half done"),
        (rebasing_another_branch, "a rebase half done: f"),
        (merging, "a merge half done: f"),
        (merging_without_conflict, "a merge half done"),
        (picking, "a cherry-pick half done: f"),
        (picking_several, "a cherry-pick half done: f"),
        (reverting, "a revert half done: f"),
        (applying_mail, "an am half done"),
        (bisecting, "a bisect half done"),
        (popping_a_stash, "unmerged files: f"),
    ],
)
def test_an_operation_half_done_is_no_result(bench: Bench, begin: Callable[[Repository], None], said: str) -> None:
    clash(bench.copy)
    before = bench.copy.rev(BRANCH)
    begin(bench.copy)
    if begin in (reverting, popping_a_stash):
        before = bench.copy.rev(BRANCH)
    bench.copy.write({"beside.txt": "not committed\n"})
    collected = bench.collect()
    assert collected.operation.startswith(said)
    assert collected.head == before, "its branch is what it was"
    assert collected.unresolved == ()
    assert "other.txt" in collected.files
    assert bench.holds("not committed\n"), "nothing is lost"
    assert bench.holds("tmp\n")
    assert bench.collect() == collected
    start = bench.next()
    assert start.head == before
    assert (bench.prepared.folder / "other.txt").read_text() == WORK
    assert "<<<<<<<" not in (bench.prepared.folder / "f").read_text()
    assert "`attempt-1/unfinished/" in bench.told(start)


def test_an_operation_in_a_worktree_is_one_too(bench: Bench) -> None:
    clash(bench.copy)
    bench.copy.git("worktree", "add", "-q", "tree", "-b", "other")
    Repository(bench.prepared.folder / "tree").git("merge", "tmp", code=1)
    collected = bench.collect()
    assert collected.operation == "a merge half done in its worktree `tree`: f"
    assert collected.files == ("f", "other.txt")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["MERGE_HEAD", "rebase-merge", "index", "worktrees", "logs/refs/stash", "refs/stash"])
def test_what_is_no_plain_file_does_not_hold_us(bench: Bench, name: str) -> None:
    bench.copy.write({"work.txt": WORK})
    path = bench.prepared.folder / ".git" / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mkfifo", str(path)], check=True)
    collected = bench.collect()
    assert (collected.files == ("work.txt",)) != bool(collected.operation)
    assert bench.holds()


def test_a_branch_from_before_that_is_no_commit_of_its_own_means_the_branch(bench: Bench) -> None:
    clash(bench.copy)
    rebasing(bench.copy)
    (bench.prepared.folder / ".git/rebase-merge/orig-head").write_text("1" * 40 + "\n")
    collected = bench.collect()
    assert collected.operation
    assert bench.holds()
