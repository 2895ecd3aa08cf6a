"""Merges without a work tree follow the attributes of the base, as git does, but run no program for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.repositories import Repository, new_repository
from tinytown.git import merge as merging
from tinytown.git.merge import Merge
from tinytown.git.repository import Git

MANY = "".join(f"{number}\n" for number in range(20))


class Sides:
    """Two lines of work that began at one commit."""

    def __init__(self, root: Path, begin: Mapping[str, str | bytes]) -> None:
        self.repository = new_repository(root)
        self.base = self.repository.commit("Attributes", begin)

    def merge(self, ours: Mapping[str, str | bytes], theirs: Mapping[str, str | bytes]) -> Merge:
        self.repository.git("checkout", "-q", "-B", "ours", self.base)
        left = self.repository.commit("Ours", ours)
        self.repository.git("checkout", "-q", "-B", "theirs", self.base)
        right = self.repository.commit("Theirs", theirs)
        self.repository.git("checkout", "-q", "ours")
        return merging.merge(self.mirror(), left, right, rules=self.base)

    def mirror(self) -> Path:
        """A bare copy, as it is now."""
        folder = self.repository.root.with_name("mirror.git")
        if not folder.exists():
            self.repository.git("init", "-q", "--bare", str(folder))
        self.repository.git("push", "-q", "--force", str(folder), "refs/heads/*:refs/heads/*")
        return folder

    def text(self, merge: Merge, name: str) -> str:
        return Repository(self.mirror()).git("cat-file", "blob", f"{merge.tree}:{name}")


def test_what_conflicts_is_said_and_nothing_is_checked_out(tmp_path: Path) -> None:
    sides = Sides(tmp_path / "project", {})
    merge = sides.merge({"README.md": "ours\n", "a\nb.txt": "a\n"}, {"README.md": "theirs\n", "c.txt": "c\n"})
    assert merge.conflicts == ("README.md",)
    assert set(Repository(sides.mirror()).files(merge.tree)) == {"README.md", "a\nb.txt", "c.txt", "src/app.py"}
    own = Git.own(sides.mirror())
    clean = merging.merge(sides.mirror(), sides.base, sides.repository.rev("theirs"), rules=sides.base)
    assert (clean.conflicts, clean.tree) == ((), own.tree("refs/heads/theirs"))


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 35\n"


@pytest.mark.parametrize("name", ["a.bin", 'deep/b[1]*\\ "q".bin', "x y.bin"])
@pytest.mark.parametrize(
    "attributes",
    [
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "*.bin filter=lfs -text\n",
        "*.bin filter=lfs merge=union\n",
        "[attr]kept filter=lfs merge=text\n*.bin kept\n",
    ],
)
def test_two_lfs_pointers_are_a_conflict_and_never_merged_as_text(tmp_path: Path, attributes: str, name: str) -> None:
    base, ours, theirs = (POINTER.format(letter * 64) for letter in "abc")
    sides = Sides(tmp_path / "project", {".gitattributes": attributes, name: base, "other.bin": base})
    merge = sides.merge({name: ours}, {name: theirs, "other.bin": theirs})
    assert (merge.conflicts, merge.undriven) == ((name,), ())
    assert sides.text(merge, name) == ours.strip(), "one of the two, whole"
    assert sides.text(merge, "other.bin") == theirs.strip()


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({".gitattributes": "CHANGES.md merge=union\n"}, "CHANGES.md"),
        ({".gitattributes": "* text=auto\n", "docs/.gitattributes": "*.md merge=union\n"}, "docs/CHANGES.md"),
        ({".gitattributes": "[attr]log merge=union\n", "docs/.gitattributes": "*.md log\n"}, "docs/CHANGES.md"),
    ],
    ids=["at the top", "in a folder", "by a word of its own"],
)
def test_a_union_is_one(tmp_path: Path, attributes: Mapping[str, str], name: str) -> None:
    sides = Sides(tmp_path / "project", {**attributes, name: "# Changes\n"})
    ours, theirs = {name: "# Changes\n- ours\n"}, {name: "# Changes\n- theirs\n"}
    merge = sides.merge(ours, theirs)
    assert (merge.conflicts, merge.undriven) == ((), ())
    assert sides.text(merge, name) == "# Changes\n- ours\n- theirs"
    # git, asked in a checkout, says the same.
    sides.repository.git("merge", "-q", "--no-edit", "theirs")
    assert sides.repository.git("rev-parse", "HEAD^{tree}") == merge.tree


@pytest.mark.parametrize("word", ["-merge", "merge=binary", "binary"])
def test_what_is_not_to_be_merged_as_text_conflicts_whole(tmp_path: Path, word: str) -> None:
    sides = Sides(tmp_path / "project", {".gitattributes": f"*.lock {word}\n", "a.lock": MANY})
    merge = sides.merge({"a.lock": f"ours\n{MANY}"}, {"a.lock": f"{MANY}theirs\n"})
    assert merge.conflicts == ("a.lock",)
    assert sides.text(merge, "a.lock") == f"ours\n{MANY}".strip()


def test_only_the_attributes_of_the_base_count(tmp_path: Path) -> None:
    """A change cannot bring the rule by which it is merged."""
    sides = Sides(tmp_path / "project", {"notes.md": "notes\n"})
    merge = sides.merge(
        {"notes.md": "notes\nours\n"}, {"notes.md": "notes\ntheirs\n", ".gitattributes": "* merge=union\n"}
    )
    assert merge.conflicts == ("notes.md",)


def test_markers_are_as_long_as_the_attributes_say(tmp_path: Path) -> None:
    sides = Sides(tmp_path / "project", {".gitattributes": "*.md conflict-marker-size=20\n", "a.md": "a\n"})
    merge = sides.merge({"a.md": "ours\n"}, {"a.md": "theirs\n"})
    assert sides.text(merge, "a.md").startswith(f"{'<' * 20} ")


def test_a_driver_of_somebodys_own_never_runs_and_is_named_where_it_would_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "TRAP"
    home = tmp_path / "home"
    home.mkdir()
    config = f'[merge "npm"]\n\tdriver = touch {trap}\n'
    (home / ".gitconfig").write_text(config)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    begin = {".gitattributes": "*.lock merge=npm\n", "a.lock": MANY, "b.lock": MANY}
    sides = Sides(tmp_path / "project", begin)
    sides.repository.git("config", "merge.npm.driver", f"touch {trap}")
    merge = sides.merge({"a.lock": f"ours\n{MANY}"}, {"a.lock": f"{MANY}theirs\n", "b.lock": "new\n"})
    assert not trap.exists()
    assert (merge.conflicts, merge.undriven) == ((), ("a.lock (merge=npm)",))
    assert sides.text(merge, "a.lock") == f"ours\n{MANY}theirs"


def test_a_trial_leaves_no_object(tmp_path: Path) -> None:
    sides = Sides(tmp_path / "project", {"a.txt": MANY})
    sides.merge({"a.txt": f"ours\n{MANY}"}, {"a.txt": f"{MANY}theirs\n"})
    left = sides.repository.commit("More", {"c.txt": "c\n"})
    right, mirror = sides.repository.rev("theirs"), sides.mirror()
    trial = merging.merge(mirror, left, right, rules=sides.base, keep=False)
    assert Git.own(mirror).run("cat-file", "-e", trial.tree, ok=(0, 1, 128)).code != 0
    assert trial.altered == ("a.txt",)
    assert merging.merge(mirror, left, right, rules=sides.base) == replace(trial, altered=())
    assert Git.own(mirror).run("cat-file", "-e", trial.tree).ok


def test_attributes_that_are_a_link_or_lead_elsewhere_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("* merge=union\n")
    sides = Sides(tmp_path / "project", {"a.md": "a\n"})
    (sides.repository.root / ".gitattributes").symlink_to(tmp_path / "outside")
    sides.base = sides.repository.commit("A link")
    merge = sides.merge({"a.md": "ours\n"}, {"a.md": "theirs\n"})
    assert merge.conflicts == ("a.md",)
