"""A change counts as merged when its content is in the base, in whatever way a person brought it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, a_change, a_town, new_repository
from tinytown.forge import landed
from tinytown.forge.contract import Change
from tinytown.forge.local.forge import LocalForge

LINES = [f"line {number}\n" for number in range(30)]


def changed(first: int, last: int) -> str:
    """A file with these two of its lines changed."""
    lines = list(LINES)
    lines[first], lines[last] = "first\n", "last\n"
    return "".join(lines)


class World:
    """A repository with a published change of two commits, ready to be merged by hand."""

    def __init__(self, root: Path) -> None:
        self.repository = new_repository(root)
        self.repository.commit("Lines", {"lines.txt": "".join(LINES)})
        self.forge = LocalForge(a_town(root))
        self.git = self.repository.git
        self.git("switch", "-q", "-c", BRANCH)
        self.repository.commit("First", {"lines.txt": changed(0, 0), "a.txt": "a\n"})
        self.change = a_change(self.repository.commit("Last", {"lines.txt": changed(0, 29)}), branch=BRANCH)
        self.git("switch", "-q", "main")
        # The mirror has it, as it has whatever a worker brought in.
        self.git("push", "-q", str(self.forge.mirror(self.forge.repo)), BRANCH)

    def found(self) -> str | None:
        return self.forge.merged_sha(self.forge.repo, self.change)

    def drop(self) -> None:
        """The branch goes, and with it, in time, the objects."""
        self.git("branch", "-q", "-D", BRANCH)
        self.git("reflog", "expire", "--expire=now", "--all")
        self.git("gc", "-q", "--prune=now")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "project")


def squash(world: World) -> str:
    world.git("merge", "-q", "--squash", BRANCH)
    return world.repository.commit("All of it")


def rebase(world: World) -> str:
    world.git("rebase", "-q", "main", BRANCH)
    world.git("switch", "-q", "main")
    world.git("merge", "-q", "--ff-only", BRANCH)
    return world.repository.rev("main")


def pick(world: World) -> str:
    world.git("cherry-pick", "-x", f"main..{BRANCH}")
    return world.repository.rev("main")


def merged(world: World) -> str:
    world.git("merge", "-q", "--no-edit", "--no-ff", BRANCH)
    return world.repository.rev("main")


def patch(world: World) -> str:
    """As somebody would who knows no better."""
    diff = world.git("diff", "--binary", f"main...{BRANCH}")
    (world.repository.root.parent / "patch").write_text(f"{diff}\n")
    world.git("apply", "--index", str(world.repository.root.parent / "patch"))
    return world.repository.commit("Applied")


def on_a_side_branch(world: World) -> str:
    world.git("switch", "-q", "-c", "release")
    squash(world)
    world.git("switch", "-q", "main")
    world.git("merge", "-q", "--no-edit", "--no-ff", "release")
    return world.repository.rev("main")


WAYS = [squash, rebase, pick, merged, patch, on_a_side_branch]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moved", [False, True], ids=["at once", "base moved"])
def test_every_way_counts_and_the_commit_is_named(world: World, way: Callable[[World], str], moved: bool) -> None:
    if moved:
        world.repository.commit("Between", {"lines.txt": "".join([*LINES[:15], "between\n", *LINES[15:]])})
    assert world.found() is None
    brought = way(world)
    world.drop()
    later = world.repository.commit("Later", {"later.txt": "later\n", "lines.txt": "rewritten\n", "a.txt": "b\n"})
    assert world.found() == brought != later


NOTES = "".join(f"note {number}\n" for number in range(20))


def begin_squash(world: World) -> None:
    """A change that also adds a file, brought in and not committed yet."""
    world.git("switch", "-q", BRANCH)
    world.change = a_change(world.repository.commit("Notes", {"notes.txt": NOTES}), branch=BRANCH)
    world.git("push", "-q", str(world.forge.mirror(world.forge.repo)), BRANCH)
    world.git("switch", "-q", "main")
    world.git("merge", "-q", "--squash", BRANCH)


def with_another_mode(world: World) -> None:
    for name in ("lines.txt", "notes.txt"):
        (world.repository.root / name).chmod(0o755)


def with_a_new_file_renamed(world: World) -> None:
    world.git("mv", "notes.txt", "remarks.txt")


def with_an_old_file_renamed(world: World) -> None:
    world.git("mv", "lines.txt", "rows.txt")


def with_all_renamed(world: World) -> None:
    with_a_new_file_renamed(world)
    with_an_old_file_renamed(world)
    (world.repository.root / "remarks.txt").chmod(0o755)


def with_other_changes(world: World) -> None:
    lines = changed(0, 29).replace("line 15\n", "line 15\nand more\n")
    world.repository.write({"other.txt": "other\n", "README.md": "# Another\n", "lines.txt": lines})


def with_a_change_beside_it(world: World) -> None:
    world.repository.write({"lines.txt": changed(0, 29) + "next to it\n"})


def with_a_line_edited(world: World) -> None:
    world.repository.write({"notes.txt": NOTES.replace("note 3", "Note 3")})


def with_a_file_left_out(world: World) -> None:
    world.git("rm", "-qf", "notes.txt")


def with_a_short_file_renamed(world: World) -> None:
    world.git("mv", "a.txt", "b.txt")


@pytest.mark.parametrize("moved", [False, True], ids=["at once", "base moved"])
@pytest.mark.parametrize(
    "edit", [with_another_mode, with_a_new_file_renamed, with_an_old_file_renamed, with_all_renamed, with_other_changes]
)
def test_what_a_person_changed_besides_does_not_hide_it(
    world: World, edit: Callable[[World], None], moved: bool
) -> None:
    if moved:
        world.repository.commit("Between", {"lines.txt": "".join([*LINES[:15], "between\n", *LINES[15:]])})
    begin_squash(world)
    assert world.found() is None
    if moved and edit is with_other_changes:
        world.repository.write({"other.txt": "other\n"})
    else:
        edit(world)
    brought = world.repository.commit("By hand")
    world.drop()
    world.repository.commit("Later", {"notes.txt": "other\n", "lines.txt": "rewritten\n"})
    assert world.found() == brought


@pytest.mark.parametrize(
    "edit", [with_a_line_edited, with_a_file_left_out, with_a_short_file_renamed, with_a_change_beside_it]
)
def test_what_cannot_be_proven_is_asked_about_by_the_name_of_its_commit(
    world: World, edit: Callable[[World], None]
) -> None:
    begin_squash(world)
    edit(world)
    brought = world.repository.commit("By hand")
    world.drop()
    world.repository.commit("Later", {"a.txt": "later\n"})
    assert world.found() is None
    assert world.forge.resembling(world.forge.repo, world.change) == brought


def test_a_part_is_not_the_whole(world: World) -> None:
    world.git("cherry-pick", f"{BRANCH}~1")
    world.drop()
    assert world.found() is None
    world.repository.commit("By hand", {"lines.txt": changed(0, 28)})
    assert world.found() is None


def test_a_change_that_changes_nothing_is_in_no_base(world: World) -> None:
    world.git("switch", "-q", "-c", "tt/abcdef12/nothing")
    head = world.repository.commit("Nothing")
    world.git("push", "-q", str(world.forge.mirror(world.forge.repo)), "HEAD")
    world.git("switch", "-q", "main")
    world.repository.commit("Moves", {"b.txt": "b\n"})
    assert world.forge.merged_sha(world.forge.repo, a_change(head)) is None


def test_asked_again_it_looks_only_at_what_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        world.repository.commit(f"{number}", {"a.txt": f"{number}\n"})
    assert world.found() is None
    tried: list[str] = []
    real = landed._holds

    def counting(mirror: Path, commit: str, head: str, fork: str, files: Mapping[str, str]) -> bool:
        tried.append(commit)
        return real(mirror, commit, head, fork, files)

    monkeypatch.setattr(landed, "_holds", counting)
    assert world.found() is None
    assert not tried
    new = world.repository.commit("New", {"a.txt": "new\n"})
    assert world.found() is None
    assert tried == [new]


def test_a_merge_of_what_is_there_already_makes_no_commit(world: World) -> None:
    brought = squash(world)
    tip = world.repository.commit("Later", {"lines.txt": changed(0, 29).replace("first", "again")})
    result = world.forge.merge(world.forge.repo, world.change, checked_tree=None, checks=None)
    assert (result.status, result.sha, world.repository.rev("main")) == ("merged", brought, tip)


def test_odd_names_are_looked_for_literally(world: World) -> None:
    for name in ("-x", ":(glob)*", "a\nb", "^main", '"q"'):
        world.git("switch", "-q", "-C", BRANCH, "main")
        head = world.repository.commit("Odd", {name: "odd\n"})
        world.git("push", "-q", "--force", str(world.forge.mirror(world.forge.repo)), BRANCH)
        world.git("switch", "-q", "main")
        change = a_change(head, branch=BRANCH)
        assert world.forge.merged_sha(world.forge.repo, change) is None
        world.repository.commit("Between", {"lines.txt": name})
        brought = squash(world)
        world.repository.commit("After", {"after.txt": name})
        assert world.forge.merged_sha(world.forge.repo, change) == brought


def test_a_branch_that_is_gone_is_told_from_one_that_is_there(world: World) -> None:
    def there(change: Change) -> bool:
        return world.forge.observe(world.forge.repo, change).head is not None

    assert there(world.change)
    world.drop()
    assert not there(world.change)
