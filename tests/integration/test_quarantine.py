"""An agent's objects are what they hash to, whatever its files call them, and no bomb among them goes off here."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository
from tinytown.git.repository import Git
from tinytown_workers.clone import remove_tree
from tinytown_workers.collect import content_policy, quarantine
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

REF = f"refs/heads/{BRANCH}"


def collect(prepared: Prepared, mirror: Path) -> Collected:
    return workspace.collect(prepared, mirror=mirror, ref=REF, message="Work\n")


def make(copy: Repository, kind: str, content: bytes) -> str:
    command = ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"]
    done = subprocess.run(command, cwd=copy.root, input=content, capture_output=True, check=True)
    return done.stdout.decode().strip()


def tree(copy: Repository, *entries: str) -> str:
    text = "".join(f"{entry}\n" for entry in entries)
    done = subprocess.run(["git", "mktree"], cwd=copy.root, input=text, text=True, capture_output=True, check=True)
    return done.stdout.strip()


def write_loose(git_dir: Path, sha: str, kind: str, content: bytes) -> None:
    """An object under a name that need not be its own."""
    path = git_dir / "objects" / sha[:2] / sha[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(f"{kind} {len(content)}\0".encode() + content, 1))


def write_index(pack: Path, offsets: dict[str, int]) -> None:
    """An index of these names, true or not."""
    names = sorted(offsets)
    sums = [sum(1 for name in names if int(name[:2], 16) <= byte) for byte in range(256)]
    data = b"\xfftOc" + struct.pack(">I", 2) + struct.pack(">256I", *sums) + b"".join(map(bytes.fromhex, names))
    data += bytes(4 * len(names)) + b"".join(struct.pack(">I", offsets[name]) for name in names)
    data += pack.read_bytes()[-20:]
    index = pack.with_suffix(".idx")
    index.unlink(missing_ok=True)
    index.write_bytes(data + hashlib.sha1(data).digest())


def write_pack(folder: Path, count: int, objects: bytes) -> Path:
    data = b"PACK" + struct.pack(">II", 2, count) + objects
    data += hashlib.sha1(data).digest()
    path = folder / f"pack-{hashlib.sha1(data).hexdigest()}.pack"
    path.write_bytes(data)
    return path


def header(kind: int, size: int) -> bytes:
    """How an object begins in a pack."""
    first, size = kind << 4 | size & 15, size >> 4
    made = [first]
    while size:
        made[-1] |= 128
        made.append(size & 127)
        size >>= 7
    return bytes(made)


def number(value: int) -> bytes:
    """A size as a delta states it."""
    made = []
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


# -- what an object is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["index", "loose"])
def test_a_name_that_an_object_does_not_have_hides_nothing(prepared: Prepared, mirror: Path, how: str) -> None:
    """In the clone the start's own folder holds all of the change already, so that a comparison shows nothing."""
    copy = Repository(prepared.folder)
    src = copy.git("rev-parse", "HEAD:src")
    files = [f"100644 blob {make(copy, 'blob', b'x')}\t{name}" for name in ("HEAD", "config")]
    folders = [f"040000 tree {tree(copy, files[0])}\t{name}" for name in ("objects", "refs")]
    link = f"120000 blob {make(copy, 'blob', b'/etc/passwd')}\tlink"
    evil = tree(copy, *files, *folders, link)
    others = [line for line in copy.git("ls-tree", "HEAD").splitlines() if not line.endswith("\tsrc")]
    head = copy.git("commit-tree", "-p", "HEAD", "-m", "x", tree(copy, *others, f"040000 tree {evil}\tsrc"))
    copy.git("update-ref", REF, head)
    (prepared.folder / "work.txt").write_text("work\n")
    if how == "index":
        packs = prepared.folder / ".git/objects/pack"
        done = subprocess.run(
            ["git", "pack-objects", "-q", "--revs", str(packs / "pack")], cwd=copy.root,
            input=f"{head}\n", text=True, capture_output=True, check=True,
        )  # fmt: skip
        pack = packs / f"pack-{done.stdout.strip()}.pack"
        with pack.with_suffix(".idx").open("rb") as file:
            shown = subprocess.run(["git", "show-index"], cwd=copy.root, stdin=file, capture_output=True, check=True)
        offsets = {line.split()[1]: int(line.split()[0]) for line in shown.stdout.decode().splitlines()}
        write_index(pack, {**offsets, src: offsets[evil]})
        # Newer packs are asked first.
        os.utime(pack, (4e9, 4e9))
    else:
        content = subprocess.run(["git", "cat-file", "tree", evil], cwd=copy.root, capture_output=True, check=True)
        (prepared.folder / ".git/objects/pack").rename(prepared.folder / ".git/was")
        (prepared.folder / ".git/objects/pack").mkdir()
        subprocess.run(["sh", "-c", "cat .git/was/*.pack | git unpack-objects -q"], cwd=copy.root, check=True)
        write_loose(prepared.folder / ".git", src, "tree", content.stdout)
    assert copy.git("diff-tree", "-r", prepared.start_sha, head) == "", "plain git sees it: this test could not fail"
    collected = collect(prepared, mirror)
    said = " ".join(collected.refused)
    assert "link out of the tree" in said or "its commits cannot be read" in said
    bare = Repository(mirror)
    assert bare.files(REF) == sorted([*bare.files(prepared.start_sha), "work.txt"])
    assert bare.git("rev-parse", f"{REF}:src") == src
    bare.git("fsck", "--strict", "--full")


def test_what_git_made_of_a_whole_repository_is_taken(prepared: Prepared, mirror: Path) -> None:
    """The other way round: all in one pack, with the history and with deltas, and no index is missed."""
    copy = Repository(prepared.folder)
    text = "".join(f"line {n}\n" for n in range(2000))
    copy.commit("One", {"big.txt": text})
    copy.commit("Two", {"big.txt": text.replace("line 7\n", "seven\n")})
    copy.git("gc", "-q", "--prune=now")
    assert not list((prepared.folder / ".git/objects").glob("[0-9a-f][0-9a-f]/*"))
    for name in ("pack-x.idx", "multi-pack-index"):
        (prepared.folder / ".git/objects/pack" / name).write_bytes(b"nonsense")
    collected = collect(prepared, mirror)
    assert (collected.commits, collected.files, collected.refused) == (2, ("big.txt",), ())
    assert collected.head == copy.rev("HEAD")
    assert collect(prepared, mirror) == collected


def test_a_repacked_mirror_is_not_taken_back_from_the_clone(prepared: Prepared, mirror: Path) -> None:
    Repository(mirror).git("repack", "-q", "-a", "-d", "--no-write-bitmap-index", "--window=1")
    Repository(mirror).git("-c", "pack.compression=0", "repack", "-q", "-a", "-d", "-F", "--no-write-bitmap-index")
    Repository(prepared.folder).commit("Mine", {"mine.txt": "mine\n"})
    assert collect(prepared, mirror).commits == 1
    assert not list((prepared.ledger / "objects/pack").iterdir())


# -- bombs -----------------------------------------------------------------------------------------------


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["commit", "tree", "tag"])
def test_an_object_that_unpacks_without_end_is_not_read(prepared: Prepared, mirror: Path, kind: str) -> None:
    """A MB of it would be a GB in the memory of a git that reads it."""
    size = quarantine.STRUCTURE_LIMIT + 1
    sha = hashlib.sha1(f"{kind} {size}\0".encode() + bytes(size)).hexdigest()
    write_loose(prepared.folder / ".git", sha, kind, bytes(size))
    for name in ("HEAD", REF, "refs/tags/x"):
        path = prepared.folder / ".git" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{sha}\n")
    (prepared.folder / "work.txt").write_text("work\n")
    collected = collect(prepared, mirror)
    assert collected.files == ("work.txt",)
    assert any("cannot be read" in reason for reason in collected.refused)
    assert not (prepared.ledger / "objects" / sha[:2] / sha[2:]).exists()


def test_contents_that_unpack_without_end_are_not_taken(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "UNPACKED_LIMIT", 1 << 20)
    Repository(prepared.folder).commit("Mine", {"zeros": bytes(2 << 20)})
    collected = collect(prepared, mirror)
    assert (collected.commits, collected.files) == (1, ("zeros",))
    assert any("too large" in reason for reason in collected.refused)


@pytest.mark.timeout(60)
def test_a_pack_that_unpacks_without_end_is_not_taken(prepared: Prepared, mirror: Path) -> None:
    """Some hundred bytes of deltas that make 3 GB."""
    base = bytes(0xFFFFFF)
    copies = 192
    delta = number(len(base)) + number(copies * len(base)) + b"\xf0\xff\xff\xff" * copies
    first = header(3, len(base)) + zlib.compress(base, 1)
    name = hashlib.sha1(f"blob {len(base)}\0".encode() + base).digest()
    second = header(7, len(delta)) + name + zlib.compress(delta)
    pack = write_pack(prepared.folder / ".git/objects/pack", 2, first + second)
    assert pack.stat().st_size < 100_000
    Repository(prepared.folder).commit("Mine", {"mine.txt": "mine\n"})
    collected = collect(prepared, mirror)
    assert collected.files == ("mine.txt",)
    assert collected.commits == 1
    assert "1 objects of its git directory: cannot be read" in collected.refused


@pytest.mark.parametrize(
    ("limit", "what"), [("LOOSE_LIMIT", "new objects"), ("PACKS_LIMIT", "new packs"), ("PACKED_LIMIT", "too large")]
)
def test_more_objects_than_anybody_makes_stay_behind(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch, limit: str, what: str
) -> None:
    monkeypatch.setattr(quarantine, limit, 0 if limit != "PACKED_LIMIT" else -100)
    copy = Repository(prepared.folder)
    copy.commit("Mine", {"mine.txt": "mine\n"})
    if limit != "LOOSE_LIMIT":
        copy.git("repack", "-q", "-d")
    collected = collect(prepared, mirror)
    assert collected.files == ("mine.txt",)
    assert any(what in reason for reason in collected.refused)


@pytest.mark.timeout(60)
def test_refs_without_number_do_not_hold_us(prepared: Prepared, mirror: Path) -> None:
    copy = Repository(prepared.folder)
    head = copy.commit("Mine", {"mine.txt": "mine\n"})
    lines = "".join(f"{head} refs/heads/x{number}\n" for number in range(100_000))
    (prepared.folder / ".git/packed-refs").write_text(lines)
    assert collect(prepared, mirror).files == ("mine.txt",)


def test_a_git_that_needs_too_much_is_ended_with_a_sentence(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it whatever it starts, whose limits are its own."""
    from tinytown.git import repository as git

    own = Git.own(mirror)
    sha = own.line("hash-object", "-w", "--stdin", input="x" * (10 << 20))
    nothing, tree = (own.line("mktree", input=text) for text in ("", f"100644 blob {sha}\tf\n"))
    monkeypatch.setattr(git, "MEMORY_LIMIT", 8 << 20)
    with pytest.raises(git.GitLimitError, match="needed more than 8 MB of memory"):
        own.run("diff-tree", "-p", nothing, tree)
    monkeypatch.setattr(git, "_WITH_CHILDREN", ("diff-tree",))
    with pytest.raises(git.GitLimitError, match="needed more than 8 MB of memory"):
        own.run("diff-tree", "-p", nothing, tree)


# -- how much there is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [False, True])
def test_folders_within_folders_end_nobody_and_are_taken_up_to_a_depth(
    prepared: Prepared, mirror: Path, committed: bool
) -> None:
    """Deeper than Python's functions call each other; each name fits into a path."""
    taken, depth = content_policy.DEPTH_LIMIT, sys.getrecursionlimit() + 200
    at = os.open(prepared.folder, os.O_RDONLY)
    for number in range(1, depth + 1):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
        if number in (taken, depth):
            os.close(os.open("work.txt", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.close(at)
    if committed:
        copy = Repository(prepared.folder)
        copy.git("add", "-A")
        copy.git("commit", "-q", "-m", "Deep")
    try:
        collected = collect(prepared, mirror)
    finally:
        # By ours: that of those who clean up after tests calls itself.
        remove_tree.remove_folder(prepared.folder)
    assert collected.files == (f"{'d/' * taken}work.txt",)
    assert collected.commits == 1
    assert f"{'d/' * depth}work.txt: in more than 200 folders within each other" in collected.refused


def test_what_is_in_one_of_very_many_folders_is_found_by_its_own() -> None:
    shut = [f"r{number}/" for number in range(50_000)] + ["deep/er/"]
    paths = [f"r{number}/objects/a" for number in range(50_000)]
    assert content_policy.outside([*paths, "r1", "r/x", "deep/x", "deep/er/x/y", "deep/er/"], shut) == [
        "r1",
        "r/x",
        "deep/x",
    ]
    assert content_policy.outside(iter(paths), []) == paths
