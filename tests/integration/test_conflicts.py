"""Conflicts that are left over: found in the content of any commit, and remembered where the content cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_town, work_in
from tinytown.forge.local.forge import LocalForge
from tinytown.git.repository import Git
from tinytown_workers.purposes import checks
from tinytown_workers.workspace import conflicts, workspace

CONFLICT = "one\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> side\ntwo\n"
WIDE = CONFLICT.replace("<" * 7, "<" * 12).replace("=" * 7, "=" * 12).replace(">" * 7, ">" * 12)
NARROW = CONFLICT.replace("<" * 7, "<" * 4).replace("=" * 7, "=" * 4).replace(">" * 7, ">" * 4)
DIFF3 = CONFLICT.replace("=======", "||||||| base\nbefore\n=======")


def left(
    repository: Repository, files: Mapping[str, str | bytes], *, base: Mapping[str, str | bytes] | None = None
) -> tuple[str, ...]:
    """What is unresolved in a commit with these files, on top of a base with those."""
    tip = repository.commit("Base", base or {})
    head = repository.commit("Work", files)
    return conflicts.marked(Git.own(repository.root / ".git"), head, base=tip)


@pytest.mark.parametrize(
    "text",
    [
        CONFLICT,
        CONFLICT.replace("\n", "\r\n"),
        DIFF3,
        WIDE,
        CONFLICT.replace(" HEAD", "").replace(" side", ""),
        "\ufeff" + "x\n" + CONFLICT,
        CONFLICT.encode() + b"caf\xe9\n",
        CONFLICT.replace("side", "s" * 100_000),
        "half\n>>>>>>> 1234567 (Do it)\n",
        "half\n<<<<<<< Updated upstream\nmore\n",
        CONFLICT.rstrip("\n").removesuffix("two").rstrip("\n"),
        "#" * 9_000_000 + "\n" + CONFLICT,
        "||||||||| a | table |\n" * 5000 + CONFLICT,
        "========\ntheirs\n>>>>>>>> side:old/name.txt\n",
        "half\n<<<<<<<\nmore\n",
        "half\n<<<<<<<\r\nmore\r\n",
        "half\n=======\nmore\n>>>>>>>\n",
        "half\n>>>>>>>\n",
        "||||||| 1234567\nbefore\n=======\n",
        "|||||||\nbefore\n=======\ntheirs\n",
        CONFLICT.encode("utf-16"),
        CONFLICT.replace("\n", "\r\n").encode("utf-16-be"),
        CONFLICT.encode("utf-16-le"),
        CONFLICT.encode("utf-32"),
    ],
)  # fmt: skip
def test_markers_are_found_however_they_are_written(repository: Repository, text: str | bytes) -> None:
    assert left(repository, {"a b.txt": text, "fine.txt": "fine\n"}) == ("a b.txt",)


@pytest.mark.parametrize(
    "text",
    [
        "A heading\n=======\n\ntext\n",
        CONFLICT.replace("\n", "\n    "),
        "> a\n>> b\n>>>>>> deep\n>>>>>>> deeper, in a mail\n",
        ">>> print('<<<<<<<')\n",
        "<<<<<<<not a label\n",
        b"\0" + CONFLICT.encode(),
        "Title\n=======\n\n| a |\n|||||||\n\nAnother\n=========\n",
        "=======\nTitle\n=======\n",
        "> a\n>>>>>> b\n>>>>>>>\n",
        "Plain text, in two bytes a character.\n".encode("utf-16"),
        bytes(range(256)) * 100,
        NARROW,
    ],
)
def test_what_only_looks_like_markers_passes(repository: Repository, text: str | bytes) -> None:
    assert left(repository, {"a.txt": text}) == ()


def test_attributes_say_how_long_markers_are(repository: Repository) -> None:
    attributes = {"sub/.gitattributes": "*.txt conflict-marker-size=4\n"}
    assert left(repository, {"sub/a.txt": NARROW}, base=attributes) == ("sub/a.txt",)
    assert left(repository, {"sub/b.txt": CONFLICT}) == ("sub/b.txt",)


def test_a_path_may_hold_markers_where_the_base_says_that_its_own_are_longer(repository: Repository) -> None:
    """As git's own documentation has it. That the work itself says so is not enough."""
    assert left(repository, {".gitattributes": "docs/* conflict-marker-size=32\n", "docs/a.md": CONFLICT}) != ()
    base = {".gitattributes": "[attr]shows conflict-marker-size=32\ndocs/* shows\n", "docs/a.md": "a\n"}
    assert left(repository, {"docs/a.md": CONFLICT, "docs/b.md": f"{CONFLICT}<<<<<<< more\n"}, base=base) == ()
    assert left(repository, {"other.md": CONFLICT.replace("ours", "mine")}) == ("other.md",)
    long = CONFLICT.replace("<" * 7, "<" * 32).replace("=" * 7, "=" * 32).replace(">" * 7, ">" * 32)
    assert left(repository, {"docs/a.md": f"{CONFLICT}{long}"}) == ("docs/a.md",)


def test_another_conflict_of_the_same_labels_in_the_place_of_a_quoted_one_is_found(repository: Repository) -> None:
    """In one file the lines of the markers are the same before and after: what is between them tells them apart."""
    for quote in (CONFLICT, f"{CONFLICT}# more\n{CONFLICT.replace('ours', 'second')}", CONFLICT.encode("utf-16")):
        text = quote.decode("utf-16") if isinstance(quote, bytes) else quote
        other = text.replace("theirs", "another")
        base = {"docs/git.md": f"# Conflicts\n{text}"}
        assert left(repository, {"docs/git.md": f"# Conflicts\n{other}"}, base=base) == ("docs/git.md",)
        assert left(repository, {"docs/git.md": f"# Conflicts, and more\n{other}\nend\n"}) == ()


def test_half_a_conflict_is_known_by_what_it_stands_beside(repository: Repository) -> None:
    base = {"docs/git.md": "begins with\n<<<<<<< HEAD\nand goes on\n"}
    assert left(repository, {"docs/git.md": "It begins\n\nbegins with\n<<<<<<< HEAD\nor not\n"}, base=base) == ()
    assert left(repository, {"src/a.py": "a\n<<<<<<< HEAD\nb\n"}) == ("src/a.py",)


def test_the_lines_are_named(repository: Repository) -> None:
    tip = repository.rev("main")
    many = "".join(CONFLICT for _ in range(4))
    head = repository.commit("Work", {"a.txt": CONFLICT, "b.txt": many, "c.txt": "x\n>>>>>>> side\n"})
    assert conflicts.places(Git.own(repository.root / ".git"), head, base=tip) == {
        "a.txt": "lines 2, 4, 6",
        "b.txt": "lines 2, 4, 6, 9, 11, 13 and 6 more",
        "c.txt": "line 2",
    }


def test_a_document_may_quote_what_the_base_quotes(repository: Repository) -> None:
    base = {"docs/git.md": f"# Conflicts\n{CONFLICT}", "plain.md": "plain\n"}
    assert left(repository, {"docs/git.md": f"# Conflicts, told better\n\n{CONFLICT}\nmore\n"}, base=base) == ()
    # Another conflict in the same file, even with the same labels, is one too many.
    more = f"# Conflicts\n{CONFLICT}{CONFLICT.replace('ours', 'mine')}"
    assert left(repository, {"docs/git.md": more}) == ("docs/git.md",)


def test_a_quoted_conflict_may_move_with_its_document_but_not_another_of_the_same_labels(
    repository: Repository,
) -> None:
    repository.commit("Quote", {"docs/git.md": f"# Conflicts\n{CONFLICT}", "plain.md": "plain\n"})
    repository.git("mv", "docs/git.md", "docs/merging.md")
    assert left(repository, {}) == ()
    tip = repository.rev("HEAD")
    repository.git("mv", "docs/merging.md", "docs/third.md")
    own = Git.own(repository.root / ".git")
    moved = repository.commit("Move")
    assert conflicts.marked(own, moved, base=tip) == ()
    other = repository.commit("Conflict", {"plain.md": CONFLICT.replace("ours", "mine")})
    assert conflicts.marked(own, other, base=tip) == ("plain.md",)


def test_what_the_base_dropped_meanwhile_is_nobodys_fault(repository: Repository) -> None:
    """The work began where the base still had the document."""
    begun = repository.commit("Quote", {"docs/git.md": CONFLICT})
    repository.git("checkout", "-q", "-b", "work")
    head = repository.commit("Work", {"work.txt": "work\n"})
    repository.git("checkout", "-q", "main")
    repository.git("rm", "-q", "docs/git.md")
    tip = repository.commit("Drop")
    own = Git.own(repository.root / ".git")
    assert conflicts.marked(own, head, base=tip) == ()
    assert conflicts.marked(own, head, base=begun) == ()


# -- from one attempt to the next ----------------------------------------------------------------------


def test_what_one_attempt_left_unresolved_is_told_to_the_next(repository: Repository, tmp_path: Path) -> None:
    """Also what left no markers: a binary file, and a file that one side changed and the other removed."""
    base = repository.commit("Base", {"a.txt": "1\n", "b.txt": "1\n", "logo.bin": b"\0", "gone.txt": "1\n"})
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)

    def head_of(name: str, text: str, content: bytes, gone: str | None) -> str:
        made = workspace.prepare(mirror, tmp_path / name, base_sha=base, branch=f"tt/abcdef12/{name}")
        work_in(made.folder, {"a.txt": text, "b.txt": text, "logo.bin": content, "gone.txt": gone})
        ref = f"refs/tinytown/attempts/m/{name}/1"
        return workspace.collect(made, mirror=mirror, ref=ref, message="Work\n").head or ""

    one, two = head_of("one", "2\n", b"\0one", "2\n"), head_of("two", "3\n", b"\0two", None)

    def attempt(
        number: int, resume: str, *, proven: str | None = None, heads: tuple[str, ...] = ()
    ) -> workspace.Prepared:
        return workspace.prepare(
            mirror,
            tmp_path / f"w/m/i/{number}",
            base_sha=base,
            branch=BRANCH,
            resume=resume,
            heads=heads,
            proven=proven,
        )

    first = attempt(1, two, proven=two, heads=(one,))
    assert (first.conflicts, set(first.unmarked)) == (("a.txt", "b.txt"), {"gone.txt", "logo.bin"})
    work_in(first.folder, {"a.txt": "4\n"})
    half = workspace.salvage(first, mirror=mirror, attempt="m/i/1")
    assert half.unresolved == ("b.txt",)

    second = attempt(2, half.head or "", proven=two, heads=(one,))
    assert second.start_sha == half.head, "nothing is merged that is there already"
    assert (second.conflicts, set(second.unmarked)) == (("b.txt",), {"gone.txt", "logo.bin"})
    assert workspace.load(second.folder) == second
    untouched = workspace.collect(second, mirror=mirror, ref="refs/tinytown/attempts/m/i/2", message="Work\n")
    assert (untouched.changed, untouched.unresolved) == (False, ("b.txt",))
    work_in(second.folder, {"b.txt": "4\n", "logo.bin": b"\0both"})
    whole = workspace.collect(second, mirror=mirror, ref="refs/tinytown/attempts/m/i/2", message="Work\n")
    assert whole.unresolved == ()

    # An attempt that was told of them ended well, so that is settled.
    third = attempt(3, whole.head or "", proven=whole.head)
    assert (third.conflicts, third.unmarked) == ((), ())


def test_the_gates_refuse_markers_whatever_the_attempt_said(repository: Repository) -> None:
    """A commit that came from anywhere: an older record, a person, another machine."""
    base = repository.rev("main")
    head = repository.commit("Work", {f"{name}.txt": CONFLICT for name in "abcdefghijk"})
    verdict = checks.unresolved_markers(repository.root / ".git", head, base=base)
    assert verdict is not None
    assert (verdict.passed, verdict.sha) == (False, head)
    names = "a.txt, b.txt, c.txt, d.txt, e.txt, f.txt, g.txt, h.txt"
    assert verdict.why == f"it holds conflict markers: {names} and 3 more"
    assert "k.txt: lines 2, 4, 6\n" in verdict.details
    assert "`conflict-marker-size=32`" in verdict.details
    assert checks.unresolved_markers(repository.root / ".git", base, base=base) is None
