"""The life of a workspace: prepared, worked in, collected or salvaged, removed; on real git."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_town, new_repository, work_in
from tinytown.errors import ConfigurationError, ConflictError, DiskFullError, NotFoundError, StateError
from tinytown.forge.local.forge import LocalForge
from tinytown.git.repository import Git
from tinytown_workers.attempt import earlier_work
from tinytown_workers.collect import collect as collecting
from tinytown_workers.collect import content_policy, kept_refs, quarantine
from tinytown_workers.workspace import retire, workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

REF = f"refs/heads/{BRANCH}"
#: A submodule that nobody fills.
UNFILLED = '[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n\tupdate = none\n'


def collect(prepared: Prepared, mirror: Path, ref: str = REF) -> Collected:
    return workspace.collect(prepared, mirror=mirror, ref=ref, message="Work\n")


def head_of(mirror: Path, base: str, folder: Path, files: dict[str, str]) -> str:
    """A head with these files on top of ``base``, as of another item."""
    made = workspace.prepare(mirror, folder, base_sha=base, branch=f"tt/abcdef12/{folder.name}")
    work_in(made.folder, files)
    head = collect(made, mirror, f"refs/tinytown/attempts/{folder.name}").head
    assert head
    return head


# -- prepare -------------------------------------------------------------------------------------------


def test_a_clone_is_clean_on_its_branch_and_whole(prepared: Prepared, repository: Repository) -> None:
    copy = Repository(prepared.folder)
    assert copy.git("status", "--porcelain") == ""
    assert copy.git("symbolic-ref", "HEAD") == REF
    assert copy.rev("HEAD") == prepared.start_sha == repository.rev("main")
    assert (prepared.folder / "src/app.py").read_text() == "print('hello')\n"
    copy.git("fsck", "--strict")


def test_a_clone_has_nowhere_to_push_and_shares_no_file(prepared: Prepared, mirror: Path) -> None:
    assert Repository(prepared.folder).git("remote") == ""
    git_dir = prepared.folder / ".git"
    assert not (git_dir / "objects/info/alternates").exists()
    for root in (git_dir / "objects", mirror / "objects"):
        assert all(path.stat().st_nlink == 1 for path in root.rglob("*") if path.is_file())


def test_the_agent_signs_its_own_commits(prepared: Prepared) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    copy = Repository(prepared.folder)
    copy.git("commit", "--allow-empty", "-q", "-m", "Mine", env=environment)
    assert copy.git("log", "-1", "--format=%an <%ae>") == "ada <ada@localhost>"


def test_what_a_killed_collection_had_locked_is_no_obstacle(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"})
    Repository(prepared.folder).git("branch", "side")
    ref = "refs/tinytown/attempts/m/i/1"
    elsewhere = mirror / kept_refs.place(prepared.folder)
    elsewhere.mkdir(parents=True)
    for lock in (
        prepared.ledger / "collect.index.lock", prepared.ledger / "refs/heads/collected.lock", mirror / f"{ref}.lock",
        elsewhere / "branch-side.lock",
    ):  # fmt: skip
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    assert collect(prepared, mirror, ref).files == ("a.txt",)
    assert not list(mirror.rglob("*.lock"))


def test_files_of_agents_tools_are_not_work(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {".aider.chat.history.md": "hi", ".claude/settings.local.json": "{}"})
    assert Repository(prepared.folder).git("status", "--porcelain") == ""
    assert not collect(prepared, mirror).changed


def test_heads_that_are_not_contained_are_merged_in_order(
    repository: Repository, mirror: Path, prepared: Prepared, tmp_path: Path
) -> None:
    base = repository.rev("main")
    one = head_of(mirror, base, tmp_path / "one", {"one.txt": "1\n"})
    two = head_of(mirror, one, tmp_path / "two", {"two.txt": "2\n"})
    three = head_of(mirror, base, tmp_path / "three", {"three.txt": "3\n"})
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=base, branch=BRANCH, heads=[two, one, three])
    assert made.conflicts == ()
    assert {"one.txt", "two.txt", "three.txt"} <= {path.name for path in made.folder.iterdir()}
    copy = Repository(made.folder)
    merges = copy.git("log", "--first-parent", "--reverse", "--format=%P", f"{base}..HEAD").splitlines()
    assert [parents.split()[1] for parents in merges] == [two, three], "one is in two already"
    assert copy.git("status", "--porcelain") == ""
    assert copy.git("log", "-1", "--format=%an") == "tinytown"
    assert not collect(made, mirror).changed


def test_a_conflict_is_left_to_the_agent_and_named(
    repository: Repository, mirror: Path, prepared: Prepared, tmp_path: Path
) -> None:
    base = repository.rev("main")
    one = head_of(mirror, base, tmp_path / "one", {"README.md": "one\n", "a.txt": "a\n"})
    two = head_of(mirror, base, tmp_path / "two", {"README.md": "two\n", "b.txt": "b\n"})
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=base, branch=BRANCH, heads=[one, two])
    assert made.conflicts == ("README.md",)
    text = (made.folder / "README.md").read_text()
    assert "<<<<<<< " in text
    assert "one\n=======\ntwo\n" in text
    # Nothing done is no work, and half done is said to be.
    assert not collect(made, mirror).changed
    work_in(made.folder, {"c.txt": "c\n"})
    assert collect(made, mirror, "refs/tinytown/x").unresolved == ("README.md",)
    work_in(made.folder, {"README.md": "one and two\n"})
    done = collect(made, mirror)
    assert done.unresolved == ()
    assert done.head
    assert Git.own(mirror).is_ancestor(one, done.head)
    assert Git.own(mirror).is_ancestor(two, done.head)


def test_earlier_work_is_resumed(repository: Repository, mirror: Path, prepared: Prepared, tmp_path: Path) -> None:
    work_in(prepared.folder, {"a.txt": "1\n"})
    first = collect(prepared, mirror).head
    assert first
    moved = repository.commit("Moves", {"b.txt": "b\n"})
    LocalForge(a_town(repository.root))
    Git.own(mirror).run("fetch", "--", str(repository.root), "+refs/heads/main:refs/heads/main")
    made = workspace.prepare(
        mirror, tmp_path / "n", base_sha=prepared.start_sha, branch=BRANCH, resume=first, heads=[moved]
    )
    assert (made.folder / "a.txt").exists()
    assert (made.folder / "b.txt").exists()
    work_in(made.folder, {"a.txt": "2\n"})
    second = collect(made, mirror)
    assert second.head
    assert second.files == ("a.txt",)
    assert Git.own(mirror).commit(REF) == second.head
    assert Git.own(mirror).is_ancestor(first, second.head)


def test_a_clone_at_a_commit_is_detached_clean_and_needs_no_proof(
    repository: Repository, mirror: Path, tmp_path: Path
) -> None:
    made = workspace.prepare_at(mirror, tmp_path / "check", repository.rev("main"))
    copy = Repository(made.folder)
    assert copy.git("rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    assert copy.git("status", "--porcelain") == ""
    copy.write({"build/out.o": "x"})
    workspace.remove(made.folder)
    assert not made.folder.exists()
    assert not made.ledger.exists()


def test_what_is_not_in_the_mirror_or_exists_already_is_refused(
    prepared: Prepared, mirror: Path, tmp_path: Path
) -> None:
    base = prepared.start_sha
    for sha in ("1" * 40, "main", "--help", ""):
        with pytest.raises(NotFoundError):
            workspace.prepare(mirror, tmp_path / "n", base_sha=sha, branch=BRANCH)
        with pytest.raises(NotFoundError):
            workspace.prepare(mirror, tmp_path / "n", base_sha=base, branch=BRANCH, heads=[sha])
        with pytest.raises(NotFoundError):
            workspace.prepare_at(mirror, tmp_path / "n", sha)
    with pytest.raises(StateError, match="exists already"):
        workspace.prepare(mirror, prepared.folder, base_sha=base, branch=BRANCH)
    with pytest.raises(ConfigurationError):
        workspace.prepare(mirror, tmp_path / "n", base_sha=base, branch="main")
    assert not (tmp_path / "n").exists()
    assert workspace.load(prepared.folder) == prepared


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk can only be made by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_behind(repository: Repository, small_disk: Path) -> None:
    repository.commit("Large", {"large.bin": os.urandom(3 * 1024 * 1024)})
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    with pytest.raises(DiskFullError) as caught:
        workspace.prepare(mirror, small_disk / "n", base_sha=repository.rev("main"), branch=BRANCH)
    assert caught.value.remedy
    assert list(small_disk.iterdir()) == []


# -- collect -------------------------------------------------------------------------------------------


def test_nothing_done_is_no_change(prepared: Prepared, mirror: Path) -> None:
    collected = collect(prepared, mirror)
    assert collected == Collected(None, changed=False, ref=REF)
    assert Git.own(mirror).commit(REF) is None


def test_what_is_not_committed_becomes_one_commit_of_tinytowns(
    prepared: Prepared, mirror: Path, repository: Repository
) -> None:
    (prepared.folder / ".gitignore").write_text("*.log\n")
    work_in(
        prepared.folder,
        {"README.md": "new\n", "new/a b.txt": "1\n2\n", "src/app.py": None, "x.log": "no\n", "größe.txt": "ü\n"},
    )
    (prepared.folder / "run.sh").write_text("#!/bin/sh\n")
    (prepared.folder / "run.sh").chmod(0o755)
    collected = collect(prepared, mirror)
    assert collected.changed
    assert collected.commits == 1
    assert collected.files == (".gitignore", "README.md", "größe.txt", "new/a b.txt", "run.sh", "src/app.py")
    assert collected.head == Git.own(mirror).commit(REF)
    bare = Repository(mirror)
    assert bare.git("log", "-1", "--format=%an|%s|%P", REF) == f"tinytown|Work|{prepared.start_sha}"
    assert bare.git("ls-tree", REF, "run.sh").startswith("100755")
    assert bare.show(f"{REF}:größe.txt") == "ü"
    bare.git("fsck", "--strict")


def test_the_agents_commits_travel_as_they_are(prepared: Prepared, mirror: Path) -> None:
    copy = work_in(prepared.folder, {"a.txt": "a\n"}, commit=["First", "Second"])
    (prepared.folder / "b.txt").write_text("b\n")
    collected = collect(prepared, mirror)
    assert (collected.commits, collected.files) == (3, ("a.txt", "b.txt"))
    assert Repository(mirror).git("log", "--format=%s", f"{prepared.start_sha}..{REF}") == "Work\nSecond\nFirst"
    assert Git.own(mirror).is_ancestor(copy.rev("HEAD"), collected.head or "")


def test_packed_and_repacked_commits_travel_too(prepared: Prepared, mirror: Path) -> None:
    copy = work_in(prepared.folder, {"a.txt": "a\n"}, commit=["First"])
    copy.git("gc", "-q", "--prune=now")
    copy.git("pack-refs", "--all")
    collected = collect(prepared, mirror)
    assert collected.head == copy.rev("HEAD")
    assert (collected.commits, collected.files) == (1, ("a.txt",))


def test_collecting_again_changes_nothing(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"})
    first = collect(prepared, mirror)
    assert collect(prepared, mirror) == first
    work_in(prepared.folder, {"b.txt": "b\n"}, commit=["Mine"])
    second = collect(prepared, mirror, "refs/tinytown/attempts/x")
    assert collect(prepared, mirror, "refs/tinytown/attempts/x") == second


def test_an_empty_commit_is_kept_and_proves_nothing(prepared: Prepared, mirror: Path) -> None:
    copy = work_in(prepared.folder, {}, commit=["Nothing"])
    collected = collect(prepared, mirror)
    assert (collected.head, collected.changed) == (copy.rev("HEAD"), False)


def test_rewritten_history_travels_as_its_files(prepared: Prepared, mirror: Path) -> None:
    copy = work_in(prepared.folder, {"a.txt": "a\n"})
    copy.git("checkout", "-q", "--orphan", "fresh")
    copy.commit("Rewritten")
    copy.git("branch", "-f", BRANCH)
    collected = collect(prepared, mirror)
    assert (collected.commits, collected.files) == (1, ("a.txt",))
    assert Repository(mirror).git("log", "--format=%P", "-1", REF) == prepared.start_sha
    assert any("rewritten" in reason for reason in collected.refused)


def test_looking_at_an_old_commit_does_not_undo_the_work(repository: Repository, mirror: Path, tmp_path: Path) -> None:
    old = repository.rev("main")
    new = repository.commit("More", {"more.txt": "more\n"})
    Git.own(mirror).run("fetch", "--", str(repository.root), "+refs/heads/main:refs/heads/main")
    made = workspace.prepare(mirror, tmp_path / "a", base_sha=new, branch=BRANCH)
    copy = Repository(made.folder)
    copy.git("checkout", "-q", old)
    assert not collect(made, mirror).changed
    copy.git("checkout", "-q", BRANCH)
    head = copy.commit("Mine", {"mine.txt": "mine\n"})
    copy.git("checkout", "-q", old)
    collected = collect(made, mirror)
    assert (collected.head, collected.files) == (head, ("mine.txt",))


def test_work_on_another_branch_of_the_agent_counts(prepared: Prepared, mirror: Path) -> None:
    copy = Repository(prepared.folder)
    copy.git("switch", "-q", "-c", "feature")
    head = copy.commit("Mine", {"mine.txt": "mine\n"})
    assert collect(prepared, mirror).head == head


def test_files_and_folders_may_take_each_others_place(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {"README.md": None, "src/app.py": None})
    (prepared.folder / "src").rmdir()
    work_in(prepared.folder, {"README.md/inner.txt": "in\n", "src": "now a file\n"})
    collected = collect(prepared, mirror)
    assert collected.files == ("README.md", "README.md/inner.txt", "src", "src/app.py")
    assert Repository(mirror).files(REF) == ["README.md/inner.txt", "src"]


def test_a_folder_replaced_by_a_link_takes_its_files_with_it(prepared: Prepared, mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/app.py").write_text("secret\n")
    (prepared.folder / "src/app.py").unlink()
    (prepared.folder / "src").rmdir()
    (prepared.folder / "src").symlink_to(tmp_path / "outside")
    collected = collect(prepared, mirror)
    assert Repository(mirror).files(REF) == ["README.md"]
    assert any(reason.startswith("src: a link out of the tree") for reason in collected.refused)


def test_awkward_names_are_just_names(prepared: Prepared, mirror: Path) -> None:
    names = ["-rf", "--help", "a\nb", "a\tb", '"quoted"', ":(glob)*", "*", "ünï", "-", "\\", " ", "$(x)"]
    work_in(prepared.folder, dict.fromkeys(names, "x\n"))
    raw = os.fsencode(prepared.folder) + b"/\xff\xfe"
    Path(os.fsdecode(raw)).write_text("raw\n")
    collected = collect(prepared, mirror)
    assert set(names) <= set(collected.files)
    assert "\\xff\\xfe" in collected.files
    assert len(collected.files) == len(names) + 1
    "".join(collected.files).encode()


@pytest.mark.parametrize(
    ("link", "target", "taken"),
    [
        ("a", "README.md", True),
        ("src/a", "../README.md", True),
        ("src/a", "app.py", True),
        ("src/a", "nowhere", True),
        ("a", "src/../src/app.py", False),
        ("a", "/etc/passwd", False),
        ("a", "../x", False),
        ("src/a", "../../x", False),
        ("a", ".git/config", False),
        ("src/a", "../.GIT/config", False),
    ],
)
@pytest.mark.parametrize("committed", [False, True])
def test_links_may_only_stay_in_the_tree(
    prepared: Prepared, mirror: Path, link: str, target: str, taken: bool, committed: bool
) -> None:
    (prepared.folder / link).symlink_to(target)
    work_in(prepared.folder, {"work.txt": "work\n"}, commit=["Mine"] if committed else [])
    collected = collect(prepared, mirror)
    assert (link in Repository(mirror).files(REF)) == taken
    assert "work.txt" in collected.files
    assert bool(collected.refused) != taken
    if not taken:
        assert collected.refused[0].startswith(f"{link}: a link out of the tree")


@pytest.mark.parametrize("committed", [False, True])
def test_a_huge_file_is_left_behind_and_named(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    monkeypatch.setattr(content_policy, "FILE_LIMIT", 1024 * 1024)
    work_in(
        prepared.folder, {"huge.bin": os.urandom(1024 * 1024 + 1), "work.txt": "w\n"},
        commit=["Mine"] if committed else [],
    )  # fmt: skip
    (prepared.folder / "sparse.bin").touch()
    os.truncate(prepared.folder / "sparse.bin", 10**12)
    collected = collect(prepared, mirror)
    assert collected.files == ("work.txt",)
    assert {reason.split(":")[0] for reason in collected.refused} == {"huge.bin", "sparse.bin"}
    size = sum(path.stat().st_size for path in (mirror / "objects").rglob("*") if path.is_file())
    assert size < 1024 * 1024
    with pytest.raises(StateError, match=r"huge\.bin|sparse\.bin"):
        workspace.remove(prepared.folder)
    workspace.remove(prepared.folder, force=True)


def test_what_no_repository_takes_goes_after_a_week(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Until then nobody collects it again at every sweep; and what is not in the mirror never goes by itself."""
    monkeypatch.setattr(content_policy, "FILE_LIMIT", 1024)
    work_in(prepared.folder, {"huge.bin": os.urandom(2000), "work.txt": "w\n"})
    head = collect(prepared, mirror).head
    other = workspace.prepare(mirror, tmp_path / "w/m/i/2", base_sha=prepared.start_sha, branch=BRANCH)
    work_in(other.folder, {"huge.bin": os.urandom(2000)})
    assert workspace.waits(prepared.folder)
    assert not workspace.waits(other.folder)
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "salvage", lambda *_, **__: pytest.fail("it was collected already"))
        earlier_work.save(prepared.folder, mirror)
    assert (prepared.folder / "huge.bin").exists()

    expires = time.time() + retire.LEFT_SECS
    monkeypatch.setattr(time, "time", lambda: expires - 60)
    collect(prepared, mirror)
    monkeypatch.setattr(time, "time", lambda: expires + 60)
    with pytest.raises(StateError, match="was not collected"):
        workspace.remove(other.folder)
    earlier_work.save(prepared.folder, mirror)
    assert not workspace.exists(prepared.folder)
    assert head
    assert Git.own(mirror).commit(head)


def test_a_huge_file_that_was_committed_and_deleted_is_not_smuggled_in(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_policy, "FILE_LIMIT", 1024 * 1024)
    copy = work_in(prepared.folder, {"huge.bin": os.urandom(1024 * 1024 + 1), "work.txt": "w\n"}, commit=["Add"])
    (prepared.folder / "huge.bin").unlink()
    copy.commit("Delete")
    collected = collect(prepared, mirror)
    assert (collected.commits, collected.files) == (1, ("work.txt",))
    assert collected.refused[0].startswith("huge.bin: larger than")


def test_too_many_new_objects_are_not_copied(prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "STORED_LIMIT", 1000)
    work_in(prepared.folder, {"a.txt": os.urandom(20_000)}, commit=["Mine"])
    collected = collect(prepared, mirror)
    assert (collected.commits, collected.files) == (1, ("a.txt",))
    assert any("too large" in reason for reason in collected.refused)


def test_a_repository_begun_inside_is_taken_as_files_and_a_foreign_one_is_not(prepared: Prepared, mirror: Path) -> None:
    begun = new_repository(prepared.folder / "app")
    begun.write({".gitignore": "*.log\n", "x.log": "no", ":(top)x.log": "no", "deep/er.txt": "yes\n"})
    foreign = new_repository(prepared.folder / "vendor")
    foreign.git("remote", "add", "origin", "https://example.org/x")
    collected = collect(prepared, mirror)
    assert collected.files == ("app/.gitignore", "app/README.md", "app/deep/er.txt", "app/src/app.py")
    assert collected.refused == ("vendor/: a git repository of its own",)


@pytest.mark.parametrize("committed", [False, True])
def test_a_bare_repository_among_the_files_is_refused(prepared: Prepared, mirror: Path, committed: bool) -> None:
    files: dict[str, str | bytes | None] = {
        "bare/HEAD": "ref: refs/heads/x\n", "bare/config": "[core]\n\tfsmonitor = x\n", "bare/objects/x": "",
        "bare/refs/heads/x": "", "work.txt": "w\n",
    }  # fmt: skip
    work_in(prepared.folder, files, commit=["Mine"] if committed else [])
    collected = collect(prepared, mirror)
    assert "work.txt" in collected.files
    assert not any(name.startswith("bare/") for name in Repository(mirror).files(REF))
    assert any(reason.startswith("bare/: a git repository") for reason in collected.refused)


@pytest.mark.parametrize("committed", [False, True])
def test_submodules_are_not_taken(prepared: Prepared, mirror: Path, committed: bool) -> None:
    text = '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch\n'
    work_in(prepared.folder, {".gitmodules": text, "work.txt": "w\n"}, commit=["Mine"] if committed else [])
    collected = collect(prepared, mirror)
    assert collected.files == ("work.txt",)
    assert any(reason.startswith(".gitmodules: ") for reason in collected.refused)


def test_a_submodule_that_was_there_stays_as_it_was(repository: Repository, tmp_path: Path) -> None:
    sha = repository.commit("Its name", {".gitmodules": UNFILLED})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{sha},lib")
    repository.git("commit", "-q", "-m", "With a submodule")
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=repository.rev("main"), branch=BRANCH)
    work_in(made.folder, {"work.txt": "w\n"})
    inner = new_repository(made.folder / "lib")
    inner.commit("Inner")
    collected = collect(made, mirror)
    assert collected.files == ("work.txt",)
    assert collected.refused == ("lib/: it is in a submodule",)
    assert workspace.waits(made.folder)
    assert f"160000 commit {sha}" in Repository(mirror).git("ls-tree", REF, "lib")


@pytest.mark.parametrize("named", [False, True])
def test_what_stands_in_a_submodule_without_a_name_is_kept_too(
    repository: Repository, tmp_path: Path, named: bool
) -> None:
    sha = repository.rev("main")
    if named:
        repository.commit("Its name", {".gitmodules": UNFILLED})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{sha},lib")
    repository.git("commit", "-q", "-m", "With a submodule")
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=repository.rev("main"), branch=BRANCH)
    (made.folder / ".gitmodules").unlink(missing_ok=True)
    work_in(made.folder, {"work.txt": "w\n", "lib/more.txt": "m\n"})
    collected = collect(made, mirror)
    assert "lib/: it is in a submodule" in collected.refused
    assert workspace.waits(made.folder)


def test_a_link_where_a_submodule_was_holds_nothing_of_its_own(repository: Repository, tmp_path: Path) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.rev('main')},lib")
    repository.git("commit", "-q", "-m", "With a submodule")
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=repository.rev("main"), branch=BRANCH)
    (made.folder / "lib").rmdir()
    (made.folder / "lib").symlink_to("src")
    collected = collect(made, mirror)
    assert (collected.files, collected.refused) == (("lib",), ())
    assert not workspace.waits(made.folder)


def test_attributes_mean_the_same_before_and_after(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Line ends", {".gitattributes": "*.bat text eol=crlf\n*.bin filter=lfs\n", "run.bat": "a\nb\n"})
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=repository.rev("main"), branch=BRANCH)
    assert (made.folder / "run.bat").read_bytes() == b"a\r\nb\r\n"
    assert not collect(made, mirror).changed
    work_in(made.folder, {"run.bat": "a\r\nb\r\nc\r\n"})
    assert len(collect(made, mirror).files) == 1
    assert Repository(mirror).git("cat-file", "-s", f"{REF}:run.bat") == "6"


def test_an_ignored_file_that_the_agent_committed_is_kept_even_when_its_commits_are_not(
    prepared: Prepared, mirror: Path
) -> None:
    copy = work_in(prepared.folder, {".gitignore": "*.gen\n", "forced.gen": "x\n"})
    (prepared.folder / "out").symlink_to("/etc")
    copy.git("add", "-A", "-f")
    copy.git("commit", "-q", "-m", "Mine")
    assert collect(prepared, mirror).files == (".gitignore", "forced.gen")


def test_newer_work_under_the_same_ref_is_never_overwritten(prepared: Prepared, mirror: Path, tmp_path: Path) -> None:
    work_in(prepared.folder, {"old.txt": "old\n"})
    newer = workspace.prepare(mirror, tmp_path / "2", base_sha=prepared.start_sha, branch=BRANCH)
    work_in(newer.folder, {"new.txt": "new\n"})
    head = collect(newer, mirror).head
    with pytest.raises(ConflictError):
        collect(prepared, mirror)
    work_in(prepared.folder, {}, commit=["Mine"])
    with pytest.raises(ConflictError):
        collect(prepared, mirror)
    assert Git.own(mirror).commit(REF) == head
    saved = workspace.salvage(prepared, mirror=mirror, attempt="m/local/project#1/1")
    assert saved.files == ("old.txt",)


@pytest.mark.parametrize(
    "ref", ["refs/heads/main", "main", "refs/heads/tt/../main", "refs/tinytown/a b", "HEAD", "--x"]
)
def test_only_refs_of_ours_can_be_written(prepared: Prepared, mirror: Path, ref: str) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"})
    with pytest.raises(ConfigurationError):
        collect(prepared, mirror, ref)


def test_a_full_disk_keeps_the_work_where_it_is(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(collecting, "_set", full)
        with pytest.raises(DiskFullError):
            collect(prepared, mirror)
    with pytest.raises(StateError):
        workspace.remove(prepared.folder)
    assert collect(prepared, mirror).files == ("a.txt",)


# -- salvage, remove, list -----------------------------------------------------------------------------


def test_salvage_keeps_everything_under_a_ref_of_its_own_once(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"}, commit=["Mine"])
    work_in(prepared.folder, {"b.txt": "b\n"})
    attempt = "abcdef12/local/a..b.lock#1/3"
    first = workspace.salvage(prepared, mirror=mirror, attempt=attempt)
    assert first.files == ("a.txt", "b.txt")
    assert first.ref.startswith("refs/tinytown/salvage/")
    assert workspace.salvage(prepared, mirror=mirror, attempt=attempt) == first
    # A different content of the same attempt finds a place of its own.
    Repository(prepared.folder).git("reset", "-q", "--hard", prepared.start_sha)
    work_in(prepared.folder, {"c.txt": "c\n"})
    second = workspace.salvage(prepared, mirror=mirror, attempt=attempt)
    assert second.ref != first.ref
    own = Git.own(mirror)
    assert {own.commit(first.ref), own.commit(second.ref)} == {first.head, second.head}


def test_a_workspace_goes_only_when_its_work_is_in_the_mirror(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"})
    with pytest.raises(StateError, match="not collected"):
        workspace.remove(prepared.folder)
    collect(prepared, mirror)
    moved = mirror.rename(mirror.with_name("moved"))
    with pytest.raises(StateError):
        workspace.remove(prepared.folder)
    moved.rename(mirror)
    workspace.remove(prepared.folder)
    workspace.remove(prepared.folder)
    assert not prepared.folder.exists()
    with pytest.raises(NotFoundError):
        collect(prepared, mirror)


def test_a_folder_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(StateError, match="not a workspace"):
        workspace.remove(tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()


def test_another_process_finds_and_finishes_what_is_left(prepared: Prepared, mirror: Path, tmp_path: Path) -> None:
    work_in(prepared.folder, {"a.txt": "a\n"})
    # What an agent makes look like a workspace is none.
    work_in(prepared.folder, {"x/y/.z.git/tinytown.json": "{}", ".z.git/tinytown.json": "{}"})
    assert workspace.folders(tmp_path / "w") == [prepared.folder]
    found = workspace.load(prepared.folder)
    assert found == prepared
    assert found is not None
    assert workspace.salvage(found, mirror=mirror, attempt="1").changed
    workspace.remove(prepared.folder)
    assert workspace.folders(tmp_path / "w") == []


def test_a_clone_whose_making_was_cut_short_is_rubbish(prepared: Prepared, tmp_path: Path) -> None:
    record = prepared.ledger / "tinytown.json"
    record.write_text(record.read_text().replace('"ready": true', '"ready": false'))
    assert workspace.load(prepared.folder) is None
    assert workspace.folders(tmp_path / "w") == [prepared.folder]
    workspace.remove(prepared.folder)
    assert workspace.folders(tmp_path / "w") == []


# -- looking -------------------------------------------------------------------------------------------


def test_a_diff_is_what_the_head_changes_and_says_what_is_cut(prepared: Prepared, mirror: Path) -> None:
    work_in(prepared.folder, {"a.txt": "one\n", "b.txt": "two\n" * 200, "c.txt": "three\n"})
    head = collect(prepared, mirror).head
    assert head
    whole = workspace.diff(mirror, prepared.start_sha, head)
    assert "+one" in whole
    assert "cut here" not in whole
    part = workspace.diff(mirror, prepared.start_sha, head, limit=400)
    assert "+one" in part
    assert len(part) < 600
    assert "not or not wholly shown: b.txt, c.txt]" in part
    assert workspace.tree_of(mirror, head) == Repository(mirror).rev(f"{REF}^{{tree}}")


def test_a_diff_of_nothing_is_empty(prepared: Prepared, mirror: Path) -> None:
    assert workspace.diff(mirror, prepared.start_sha, prepared.start_sha) == ""
    with pytest.raises(NotFoundError):
        workspace.diff(mirror, prepared.start_sha, "1" * 40)


def test_a_workspace_costs_few_git_commands(
    repository: Repository, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count, because time depends on the machine: each command is 2 to 4 ms."""
    calls: list[str] = []
    run = Git.run

    def counted(self: Git, *arguments: str, **keywords: object) -> object:
        calls.append(arguments[0])
        return run(self, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(Git, "run", counted)
    made = workspace.prepare(mirror, tmp_path / "n", base_sha=repository.rev("main"), branch=BRANCH)
    assert len(calls) == 3, calls
    work_in(made.folder, {"a.txt": "a\n"})
    calls.clear()
    collect(made, mirror)
    assert len(calls) <= 10, calls
