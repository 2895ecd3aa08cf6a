"""What a program in the sandbox may do to the machine: as root, whose programs become another user, and as a user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinytown import settings
from tinytown.errors import ConfigurationError
from tinytown.host import confinement
from tinytown.processes import Completed
from tinytown.settings import SandboxSettings
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.limits import cgroups
from tinytown_workers.limits.quota import Limits
from tinytown_workers.run import environment
from tinytown_workers.sandbox import bubblewrap, detection, identity, landlock, lending, logins, seccomp

needs_bwrap = pytest.mark.skipif(
    sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
needs_filter = pytest.mark.skipif(not seccomp.program(), reason="there is no libseccomp here")

#: One that every user can start, and whether it can import what this one can.
PYTHON = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
SAME_PYTHON = os.access(sys.executable, os.X_OK) and (
    os.geteuid() != 0
    or subprocess.run(
        [PYTHON, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=False
    ).stdout.strip()
    == str(sys.version_info[:2])
)
needs_user = pytest.mark.skipif(not SAME_PYTHON, reason=f"{PYTHON} is of another version, and no user can start ours")
#: Asks whether it could, and does nothing.
PROBE = """
import ctypes, errno, json, os, socket
writable = []
for root in ('/proc/sys', '/sys', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/acpi', '/proc/sysrq-trigger'):
    names = [root] + [os.path.join(d, f) for d, _, files in os.walk(root) for f in files]
    writable += [name for name in names if os.access(name, os.W_OK)]
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    return 'ok' if libc.syscall(number, *args) >= 0 else errno.errorcode[ctypes.get_errno()]
def family(*args):
    try:
        socket.socket(*args).close()
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
import platform, pwd
x86 = {'unshare': (272, 0x10000000), 'clone': (56, 0x10000000 | 17, 0, 0, 0, 0), 'mount': (165, 0, 0, 0, 0, 0),
       'ptrace': (101, 16, os.getppid(), 0, 0), 'keyctl': (250, 0, -3, 0), 'add_key': (248, 0, 0, 0, 0, 0),
       'bpf': (321, 0, 0, 0), 'userfaultfd': (323, 1), 'perf': (298, 0, 0, 0, 0, 0), 'setns': (308, 0, 0),
       'read_memory': (310, 1, 0, 0, 0, 0, 0), 'tiocsti': (16, 0, 0x5412, 0),
       'tiocsti_high': (16, 0, (1 << 32) | 0x5412, 0),
       'persona': (135, 0x0400000), 'clone3': (435, 0, 0), 'io_uring': (425, 1, 0)}
status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
open('made-here', 'w').close()
print(json.dumps({
    'writable': writable,
    'status': {n: status[n].strip() for n in ('CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp')},
    'uid': [os.getuid(), os.geteuid(), os.getgid()], 'groups': [g for g in os.getgroups() if g != os.getgid()],
    'name': pwd.getpwuid(os.getuid()).pw_name if os.getuid() != 65534 else 'nobody',
    'calls': {name: call(*args) for name, args in x86.items()} if platform.machine() == 'x86_64' else {},
    'families': {'netlink': family(16, 3, 0), 'netfilter': family(16, 3, 12), 'packet': family(17, 3),
                 'alg': family(38, 5), 'vsock': family(40, 1), 'unix': family(1, 1), 'inet': family(2, 1)},
    'shm': os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize,
    'dev': sorted(os.listdir('/dev')),
    'open': [path for path in ('/', '/dev', '/etc', '/usr') if os.access(path, os.W_OK)],
}))
"""


@dataclass
class Place:
    """A clone with a home and a folder for temporary files, where any user may come."""

    root: Path

    def env(self, **more: str) -> dict[str, str]:
        seen = {"PATH": os.environ["PATH"], "HOME": str(self.root / "home")}
        return environment.for_agent(
            seen, programs=self.root / "bin", tmp=Path("/tmp"), cli_env=more, driver_env={}, marks={}
        )  # fmt: skip

    def run(self, *argv: str, cage: sandbox.Sandbox | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        env = self.env()
        wrapped = (cage or sandbox.detect("bwrap")).wrap(
            argv, env=env, clone=self.root / "clone", home=self.root / "own-home", tmp=self.root / "tmp",
            logins=self.root / "logins", **more,
        )  # fmt: skip
        return wrapped.run(env, timeout=60)


@pytest.fixture
def place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="tt-confined-"))
    root.chmod(0o755)
    for name in ("clone", "own-home", "tmp", "home/.cli", "bin"):
        (root / name).mkdir(parents=True)
    # As a worker makes it.
    (root / "clone").chmod(0o700)
    yield Place(root)
    shutil.rmtree(root)


#: The same, by another user: as what a town of an ordinary user does.
AS_USER = """
import json, os, sys
from pathlib import Path
from types import SimpleNamespace
sys.path[:0] = json.loads(sys.argv[1])
from tests.integration.test_confinement import PROBE, PYTHON, Place
done = Place(Path(sys.argv[2])).run(PYTHON, "-c", PROBE)
print(done.stdout)
sys.stderr.write(done.stderr)
sys.exit(done.returncode)
"""


def as_user(place: Place) -> dict[str, Any]:
    """What the probe sees where the worker is no root."""
    if os.geteuid() != 0:
        done = place.run(PYTHON, "-c", PROBE)
    else:
        for name in ("clone", "own-home", "tmp", "home"):
            os.chown(place.root / name, 65534, 65534)
        done = subprocess.run(
            [
                "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PYTHON, "-c", AS_USER,
                json.dumps([path for path in sys.path if path]), str(place.root),
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(place.root / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def harmless(seen: Mapping[str, Any]) -> None:
    """What holds for everybody."""
    assert seen["writable"] == []
    assert seen["open"] == []
    status = dict(seen["status"])
    assert {status.pop(name).strip("0") for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert status == {"NoNewPrivs": "1", "Seccomp": "2" if seccomp.program() else "0"}
    assert seen["groups"] == []
    assert seen["shm"] <= 1 << 30
    assert "kmsg" not in seen["dev"]
    assert "mem" not in seen["dev"]


@needs_bwrap
@needs_root
def test_root_is_nobody_inside_and_nothing_of_the_kernel_can_be_written(place: Place) -> None:
    whom = sandbox.detect("bwrap").identity
    assert whom is not None
    done = place.run(PYTHON, "-c", PROBE)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    harmless(seen)
    assert seen["uid"] == [whom.uid, whom.uid, whom.gid]
    assert whom.uid > 0
    assert seen["name"] == "agent"
    # As the machine sees it, not only as it seems inside.
    assert (place.root / "clone/made-here").stat().st_uid == whom.uid


@needs_bwrap
@needs_user
def test_a_user_has_no_more_than_its_clone_either(place: Place) -> None:
    seen = as_user(place)
    harmless(seen)
    uid = os.geteuid() or 65534
    assert seen["uid"][:2] == [uid, uid]
    assert (place.root / "clone/made-here").stat().st_uid == uid


@needs_bwrap
@needs_filter
def test_system_calls_that_nobody_needs_are_refused(place: Place) -> None:
    seen = json.loads(place.run(PYTHON, "-c", PROBE).stdout)
    absent = {name: seen["calls"].pop(name, "ENOSYS") for name in ("clone3", "io_uring")}
    assert set(absent.values()) == {"ENOSYS"}
    assert set(seen["calls"].values()) <= {"EPERM"}, seen["calls"]
    assert seen["families"] == {
        "netlink": "ok", "netfilter": "EAFNOSUPPORT", "packet": "EAFNOSUPPORT", "alg": "EAFNOSUPPORT",
        "vsock": "EAFNOSUPPORT", "unix": "ok", "inet": "ok",
    }  # fmt: skip


@needs_bwrap
@needs_filter
@pytest.mark.parametrize(
    ("program", "script"),
    [
        ("node", "new (require('worker_threads').Worker)('', {eval: true}); require('os').networkInterfaces()"),
        ("git", "--version"),
        (
            sys.executable,
            "import threading, subprocess; threading.Thread(target=subprocess.run, args=(['true'],)).start()",
        ),
    ],
)
def test_programs_run_under_the_filter(place: Place, program: str, script: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    flags = {"git": [], "node": ["-e"]}.get(program, ["-c"])
    done = place.run(program, *flags, script)
    assert (done.returncode, done.stderr) == (0, "")


@needs_filter
def test_who_debugs_may_trace() -> None:
    assert seccomp.program(ptrace=True) != seccomp.program()


# -- what is shown of the person's files to somebody who may not read them ---------------------------


@needs_bwrap
@needs_root
def test_a_log_in_that_only_root_may_read_is_there_and_comes_home_renewed(place: Place) -> None:
    token, other = place.root / "home/.cli/token", place.root / "home/.cli/other"
    for file in (token, other):
        file.write_text("old")
        file.chmod(0o600)
    before = other.stat()
    script = f"cat {token}; echo; printf new > {token}; cat {other}; printf x > {other}"
    done = place.run("sh", "-c", script, writable=[token], readable=[other])
    assert done.stdout == "old\nold"
    assert token.read_text() == "new"
    assert (token.stat().st_uid, token.stat().st_mode & 0o777) == (0, 0o600)
    assert (other.read_text(), other.stat()) == ("old", before)
    # What changed outside is what the next run sees, and what it leaves alone is left alone.
    token.write_text("newer")
    assert place.run("cat", str(token), writable=[token]).stdout == "newer"
    assert token.read_text() == "newer"


@needs_bwrap
@needs_root
def test_of_two_who_renew_a_log_in_the_one_outside_wins(place: Place) -> None:
    token = place.root / "home/.cli/token"
    token.write_text("old")
    token.chmod(0o600)
    whom = sandbox.detect("bwrap").identity
    assert whom is not None
    copy = logins.Copy(token, place.root / "logins", whom)
    assert copy.bring()
    copy.data.write_text("by the agent")
    token.write_text("by the person")
    copy.give_back()
    assert token.read_text() == "by the person"


@needs_root
@pytest.mark.parametrize("plant", ["link", "folder", "pipe", "large"])
def test_nothing_but_a_file_of_a_likely_size_comes_home(place: Place, plant: str) -> None:
    whom = identity.of_town("town")
    assert whom is not None
    folder = place.root / "home/.cli"
    (folder / "token").write_text("old")
    (place.root / "secret").write_text("secret")
    copy = logins.Copy(folder, place.root / "logins", whom)
    assert copy.bring()
    planted = copy.data / "token"
    planted.unlink()
    match plant:
        case "link":
            planted.symlink_to(place.root / "secret")
            (copy.data / "more").symlink_to(place.root)
        case "folder":
            planted.mkdir()
        case "pipe":
            os.mkfifo(planted)
        case _:
            planted.write_bytes(bytes(logins.BYTES + 1))
    copy.give_back()
    assert (folder / "token").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["token"]
    # And the next run has the person's again, written through no link.
    (folder / "token").write_text("new")
    assert copy.bring()
    assert (copy.data / "token").read_text() == "new"
    assert (place.root / "secret").read_text() == "secret"


@needs_root
def test_nothing_comes_home_through_a_link_of_the_persons_out_of_the_folder(place: Place) -> None:
    """Inside such a link leads nowhere, but a run can make a folder by its name."""
    whom = identity.of_town("town")
    assert whom is not None
    folder, elsewhere = place.root / "home/.cli", place.root / "elsewhere"
    for one in (folder / "in", elsewhere):
        one.mkdir()
    for path in (folder / "token", folder / "in/kept", elsewhere / "theirs"):
        path.write_text("old")
    (folder / "away").symlink_to(elsewhere)
    (folder / "dangling").symlink_to(elsewhere / "not-yet")
    copy = logins.Copy(folder, place.root / "logins", whom)
    assert copy.bring()
    for name in ("away", "fresh"):
        (copy.data / name).mkdir()
        (copy.data / name / "planted").write_text("x")
    (copy.data / "dangling").write_text("x")
    (copy.data / "in/kept").write_text("renewed")
    copy.give_back()
    assert sorted(path.name for path in elsewhere.iterdir()) == ["theirs"]
    assert (folder / "in/kept").read_text() == "renewed"
    # A file or a link in the place of a folder does not keep the next run from its log-in.
    (copy.data / "in/kept").unlink()
    (copy.data / "in").rmdir()
    (copy.data / "in").symlink_to(elsewhere)
    (folder / "in/kept").write_text("newer")
    assert copy.bring()
    assert (copy.data / "in/kept").read_text() == "newer"
    assert sorted(path.name for path in elsewhere.iterdir()) == ["theirs"]


@needs_root
def test_only_what_is_ours_is_given_away(place: Place) -> None:
    whom = identity.of_town("town")
    assert whom is not None
    theirs = place.root / "theirs"
    theirs.write_text("")
    (place.root / "folder").mkdir()
    (place.root / "folder/file").write_text("")
    clone = place.root / "clone"
    (clone / "a/b").mkdir(parents=True)
    (clone / "a/b/file").write_text("")
    (clone / "link").symlink_to(theirs)
    (clone / "away").symlink_to(place.root / "folder")
    os.link(theirs, clone / "same")
    lending.lend(clone, whom)
    mine = {path.lstat().st_uid for path in (clone, clone / "a", clone / "a/b/file", clone / "link", clone / "away")}
    assert mine == {whom.uid}
    assert {path.stat().st_uid for path in (theirs, place.root / "folder", place.root / "folder/file")} == {0}


@needs_root
def test_each_town_has_a_user_of_its_own_unless_one_is_named() -> None:
    one, other = identity.of_town("one"), identity.of_town("other")
    assert one is not None
    assert one != other
    assert one == identity.of_town("one")
    named = identity.of_town("one", uid=4321)
    assert named is not None
    assert named.uid == 4321


# -- what is said of a sandbox that does less ----------------------------------------------------------


@pytest.fixture
def tried_anew() -> Iterator[None]:
    detection.try_bwrap.cache_clear()
    yield
    detection.try_bwrap.cache_clear()


@needs_bwrap
def test_a_missing_filter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "program", lambda **_: b"")
    found = sandbox.detect("auto")
    assert found.kind == "bwrap"
    assert [one.said for one in found.weaknesses()] == ["no system call is filtered: libseccomp was not found"]


@needs_bwrap
@needs_root
def test_who_cannot_stop_being_root_is_told(monkeypatch: pytest.MonkeyPatch, tried_anew: None) -> None:
    monkeypatch.setattr(identity, "may_become", lambda: False)
    found = sandbox.detect("auto")
    assert (found.kind, found.identity) == ("bwrap", None)
    (said,) = [one.said for one in found.weaknesses()]
    assert said == "agents run as root, which is root outside too (`setpriv` of util-linux isn't installed)"
    with pytest.raises(ConfigurationError, match=r"required = true`, but `setpriv` of util-linux"):
        detection.detect_for(SandboxSettings(required=True), "")


@needs_bwrap
def test_where_all_is_well_nothing_is_said() -> None:
    if not seccomp.program():
        pytest.skip("there is no libseccomp here")
    assert sandbox.detect("auto").weaknesses() == []
    traced = detection.detect_for(SandboxSettings(ptrace=True), "")
    assert [one.said for one in traced.weaknesses()] == ["programs may trace each other (`[sandbox] ptrace`)"]


@needs_bwrap
@pytest.mark.parametrize(
    ("version", "scope", "said"), [(1, None, 1), (1, "0", 1), (1, "1", 0), (2, "0", 0), (-1, "", 1)]
)
def test_where_a_reviewers_memory_is_open_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int, scope: str | None, said: int
) -> None:
    if scope is not None:
        (tmp_path / "scope").write_text(scope)
    monkeypatch.setattr(landlock, "_YAMA", tmp_path / "scope")
    monkeypatch.setattr(landlock.ctypes, "CDLL", lambda _: SimpleNamespace(syscall=lambda *_: version))
    weak = [one.said for one in sandbox.detect("auto").weaknesses()]
    assert len([one for one in weak if "write into its memory" in one]) == said


@needs_bwrap
def test_where_nobody_keeps_a_limit_of_memory_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = replace(sandbox.detect("auto"), limits=Limits(memory=1 << 30))
    for parents, said in (({}, 1), ({cgroups.MEMORY: ("a", "b", True)}, 0)):
        monkeypatch.setattr(cgroups, "parents", lambda of=parents: of)
        assert len([one for one in found.weaknesses() if "no control group" in one.said]) == said
    assert not [one for one in sandbox.detect("auto").weaknesses() if "no control group" in one.said]


def test_what_is_required_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "try_bwrap", lambda _: "bubblewrap isn't installed")
    with pytest.raises(ConfigurationError, match="required = true`, but bubblewrap isn't installed"):
        detection.detect_for(SandboxSettings(required=True), "")
    found = detection.detect_for(SandboxSettings(), "")
    assert [one.said for one in found.weaknesses()] == [
        f"there is no sandbox (bubblewrap isn't installed): agents run {confinement.rights()}"
    ]


def the_town(root: Path, **sandbox_settings: Any) -> Town:
    (root / ".tt").mkdir()
    values = {"forge": {"kind": "local", "repo": "project"}, "sandbox": sandbox_settings}
    return Town(root=root, id="0123456789ab", settings=settings.parse(values, source="test"))


def test_what_the_last_start_found_is_known(tmp_path: Path) -> None:
    town = the_town(tmp_path, kind="none")
    assert confinement.known(town) == []
    assert confinement.renew(town) == confinement.known(town) == [confinement.off()]


def test_a_town_that_demands_what_is_missing_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinytown.host import lifecycle as towns  # Not for the user's Python above.

    town = the_town(tmp_path, required=True)
    answer = json.dumps({"error": "`[sandbox] required = true`, but it is missing", "remedy": "install it"})
    monkeypatch.setattr(confinement.processes, "run", lambda *_, **__: Completed(("python",), 0, answer, ""))
    with pytest.raises(ConfigurationError, match="but it is missing"):
        towns.start(town)
    # Nor where nobody can tell.
    monkeypatch.setattr(confinement.processes, "run", lambda *_, **__: Completed(("python",), 1, "", "Traceback"))
    with pytest.raises(ConfigurationError, match="could not be tried"):
        towns.start(town)


@needs_bwrap
def test_an_older_bubblewrap_will_do(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "takes", lambda option: option != "--size")
    cage = sandbox.detect("bwrap")
    assert "--size" not in cage.trial().argv
    assert place.run("true").returncode == 0
