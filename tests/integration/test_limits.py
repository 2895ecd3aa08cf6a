"""Limits of a run: reaching one ends it by its name, with all that it started. In a control group, and watched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_confinement import PYTHON, Place, needs_user
from tests.waiting import wait_until
from tinytown_workers import sandbox
from tinytown_workers.limits import cgroups, quota
from tinytown_workers.run import orphans
from tinytown_workers.run.run_spec import RunSpec
from tinytown_workers.run.runner import Runner

#: It would have three hundred, and no more.
FORKS = """
import os, time
for _ in range(300):
    try:
        if os.fork() == 0:
            time.sleep(100)
    except OSError:
        time.sleep(0.01)
time.sleep(100)
"""
MEMORY = "import time; held = b'x' * (400 << 20); time.sleep(100)"
DISK = "import time; open('large', 'wb').write(bytes(30 << 20)); time.sleep(100)"
#: The same in the folder for temporary files.
ELSEWHERE = "import os, time; open(os.environ['TMPDIR'] + '/large', 'wb').write(bytes(30 << 20)); time.sleep(100)"
#: Nobody finds it in a folder.
UNLINKED = """
import os, time
if os.fork() == 0:
    os.setsid()
    file = open("large", "wb")
    os.unlink("large")
    file.write(bytes(30 << 20))
    file.flush()
    time.sleep(100)
time.sleep(100)
"""

CASES = [
    ("processes", FORKS, quota.Limits(processes=100)),
    ("memory", MEMORY, quota.Limits(memory=100 << 20)),
    ("disk", DISK, quota.Limits(disk=10 << 20)),
    ("disk", ELSEWHERE, quota.Limits(disk=10 << 20)),
    ("disk", UNLINKED, quota.Limits(disk=10 << 20)),
]
needs_bwrap = pytest.mark.skipif(sandbox.detect("auto").kind != "bwrap", reason="no sandbox here")


def run(root: Path, kind: str, script: str, limits: dict[str, int]) -> dict[str, Any]:
    """What becomes of a script that a worker runs with these limits."""
    clone, tmp = root / "clone", root / "tmp"
    wanted = quota.Limits(**limits, folders=(clone, tmp))
    cage = replace(sandbox.detect(kind), limits=wanted)
    env = {**Place(root).env(), "TMPDIR": "/tmp" if kind == "bwrap" else str(tmp), "TINYTOWN_TOWN": str(root)}
    command = cage.wrap([PYTHON, "-c", script], env=env, clone=clone, home=root / "own-home", tmp=tmp)
    runner = Runner()
    runner.start()
    guard = runner._guard
    assert guard is not None
    spec = RunSpec(
        id=f"m/{root.name}/1", argv=command.argv, files=command.files, env=env, cwd=clone, logs=root / "logs",
        limits=wanted, wrapped=kind == "bwrap", timeout=150.0,
    )  # fmt: skip
    try:
        ended = runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
    finally:
        runner.close()
    groups = [folder for folder, _, _ in cgroups.parents().values()]
    left = [str(path) for group in groups for path in Path(group).glob(f"tinytown-{guard.process.pid}-*")]
    assert left == []
    return {"reason": ended.reason, "code": ended.exit_code, "stdout": ended.stdout, "stderr": ended.stderr}


@pytest.fixture
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tt-limits-"))
    folder.chmod(0o755)
    for name in ("clone", "own-home", "tmp", "home", "bin", "logs"):
        (folder / name).mkdir()
    yield folder
    shutil.rmtree(folder)


AS_USER = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
from tests.integration.test_limits import run
print(json.dumps(run(Path(sys.argv[2]), sys.argv[3], sys.argv[4], json.loads(sys.argv[5]))))
"""


def run_as_user(root: Path, *arguments: str) -> dict[str, Any]:
    """The same where the worker is no root, and may make no control group."""
    for name in ("clone", "own-home", "tmp", "home", "logs"):
        os.chown(root / name, 65534, 65534)
    done = subprocess.run(
        [
            "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PYTHON, "-c", AS_USER,
            json.dumps([path for path in sys.path if path]), str(root), *arguments,
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(root / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def given(limits: quota.Limits) -> dict[str, int]:
    return {"memory": limits.memory, "processes": limits.processes, "disk": limits.disk}


def nothing_is_left(root: Path) -> None:
    wait_until(lambda: not orphans.marked(root), timeout=5, description="no process of the run")


@pytest.mark.parametrize("kind", [pytest.param("bwrap", marks=needs_bwrap), "none"])
@pytest.mark.parametrize(("reason", "script", "limits"), CASES)
def test_a_run_that_reaches_a_limit_ends_by_its_name(
    root: Path, kind: str, reason: str, script: str, limits: quota.Limits
) -> None:
    ended = run(root, kind, script, given(limits))
    assert ended["reason"] == reason, ended
    nothing_is_left(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run as a user anyway")
@needs_user
@pytest.mark.parametrize("kind", [pytest.param("bwrap", marks=needs_bwrap), "none"])
@pytest.mark.parametrize(("reason", "script", "limits"), [*CASES[:2], CASES[-1]])
def test_where_no_group_can_be_made_it_is_watched(
    root: Path, kind: str, reason: str, script: str, limits: quota.Limits
) -> None:
    ended = run_as_user(root, kind, script, json.dumps(given(limits)))
    assert ended["reason"] == reason, ended
    nothing_is_left(root)


@needs_bwrap
def test_open_files_have_a_limit_that_nobody_raises(root: Path) -> None:
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)); resource.setrlimit(7, (900, 900))"
    ended = run(root, "bwrap", script, {"open_files": 256})
    assert ended["stdout"] == "(256, 256)\n"
    assert "ValueError" in ended["stderr"] or "PermissionError" in ended["stderr"]


def test_who_stays_below_is_left_alone(root: Path) -> None:
    ended = run(root, "none", "print('done')", {"memory": 500 << 20, "processes": 100, "disk": 1 << 30})
    assert (ended["reason"], ended["code"], ended["stdout"]) == ("exited", 0, "done\n")
    nothing_is_left(root)


def test_groups_of_a_guard_that_was_killed_are_removed(root: Path) -> None:
    made = cgroups.make(0, 100)
    if made is None:
        pytest.skip("no control group can be made here")
    (folder,) = map(Path, made.folders.values())
    dead = subprocess.Popen(["true"])
    dead.wait()
    folder.rmdir()
    orphan = folder.with_name(f"{cgroups.PREFIX}{dead.pid}-0")
    orphan.mkdir()
    run(root, "none", "print(1)", {})
    assert not orphan.exists()


def test_a_group_is_new_although_one_of_its_name_was_left() -> None:
    """By a guard with the same process id: what its run did there is not this one's doing."""
    first = cgroups.make(0, 100)
    if first is None:
        pytest.skip("no control group can be made here")
    (folder,) = map(Path, first.folders.values())
    first.close()
    number = int(folder.name.rpartition("-")[2]) + 1
    left = folder.with_name(f"{cgroups.PREFIX}{os.getpid()}-{number}")
    left.mkdir()
    before = left.stat().st_ino
    second = cgroups.make(0, 100)
    assert second is not None
    assert list(second.folders.values()) == [str(left)]
    assert left.stat().st_ino != before
    second.close()
    assert not left.exists()


# -- the groups of the second version, as files --------------------------------------------------------


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a system with one hierarchy shows of it: a service that may make groups beside its own."""
    top = tmp_path / "cgroup"
    own = top / "user.slice/app.slice/tt.scope"
    own.mkdir(parents=True)
    for folder in (own, own.parent):
        (folder / "cgroup.procs").write_text("")
        (folder / "cgroup.subtree_control").write_text("")
    (own.parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    real = cgroups._read

    def read(path: str) -> str:
        told = {
            "/proc/self/cgroup": "0::/user.slice/app.slice/tt.scope\n",
            "/proc/self/mountinfo": f"30 23 0:26 / {top} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
        }
        return told[path] if path in told else real(path)

    monkeypatch.setattr(cgroups, "_read", read)
    return own.parent


def test_a_group_of_the_second_version_lies_beside_our_own(hierarchy: Path) -> None:
    group = cgroups.make(1 << 30, 50)
    assert group is not None
    folder = Path(group.folders["memory"])
    assert (folder.parent, set(group.folders.values())) == (hierarchy, {str(folder)})
    assert (folder / "memory.max").read_text() == str(1 << 30)
    assert (folder / "pids.max").read_text() == "50"
    (folder / "cgroup.procs").write_text("")
    with group.entered():
        assert (folder / "cgroup.procs").read_text() == str(os.getpid())
    assert (hierarchy / "tt.scope/cgroup.procs").read_text() == str(os.getpid())
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert group.exceeded() is None
    (folder / "pids.events").write_text("max 3\n")
    assert group.exceeded() == "processes"
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert group.exceeded() == "memory"


def test_without_both_controllers_there_is_no_group(hierarchy: Path) -> None:
    (hierarchy / "cgroup.subtree_control").write_text("cpu\n")
    assert cgroups.make(1 << 30, 50) is None


def test_what_a_run_writes_is_seen_though_others_free_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is everybody's: what is free on it may grow while a run fills its share."""
    disk = quota.Disk(quota.Limits(disk=1 << 20, folders=(tmp_path,)), began=0.0)
    free = iter([100 << 20, 500 << 20, 490 << 20])
    monkeypatch.setattr(disk, "_free", lambda: next(free))
    counted: list[float] = []
    monkeypatch.setattr(disk, "_count", counted.append)
    for now in (1.0, 3.0, 5.0):
        disk.reached(now)
        if disk._counting is not None:
            disk._counting.join()
    assert counted == [1.0, 5.0]
