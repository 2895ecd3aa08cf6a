"""What an agent can see and reach, with the sandbox and without. Real processes, real bubblewrap."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until
from tinytown import contract
from tinytown.errors import ConfigurationError
from tinytown_workers import sandbox
from tinytown_workers.run import environment, orphans
from tinytown_workers.run.run_spec import Ended, RunSpec
from tinytown_workers.run.runner import Runner
from tinytown_workers.sandbox import detection

#: Stands for every secret of the worker and of the user.
CANARY = "canary-0f3a5d"

needs_bwrap = pytest.mark.skipif(
    sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
)

#: Looks for the canary wherever an agent could, and says where it was found and what can be reached.
PROBE = """
import glob, json, os, socket, sys
canary, town, home, server = sys.argv[1:5]
found, readable = [], []
for name in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
    try:
        if canary.encode() in open(name, 'rb').read() and not name.startswith(f'/proc/{os.getpid()}/cmdline'):
            found.append(name)
    except OSError:
        pass
for root in (home, town, os.path.dirname(town)):
    for folder, _, files in os.walk(root):
        for file in files:
            path = os.path.join(folder, file)
            try:
                if canary in open(path, errors='replace').read():
                    found.append(path)
            except OSError:
                pass
def reaches(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        return True
    except OSError:
        return False
open('made-here', 'w').write('x')
print(json.dumps({
    'found': found, 'env': sorted(os.environ), 'server': reaches(server), 'pids': len(glob.glob('/proc/[0-9]*')),
    'home': sorted(os.listdir(home)) if os.path.isdir(home) else None, 'tmp': os.environ['TMPDIR'],
    'town': os.path.exists(os.path.join(town, 'tinytown.toml')),
}))
"""


@dataclass
class Place:
    """A worker's surroundings: a user's home with keys, a town with a server's socket, a clone to work in."""

    root: Path
    runner: Runner

    def __post_init__(self) -> None:
        for folder in ("home/.ssh", "home/.config/gh", "home/.agent", "town/.tt", "state/clone", "state/other"):
            (self.root / folder).mkdir(parents=True)
        for secret in ("home/.ssh/id", "home/.netrc", "home/.config/gh/hosts", "town/.env", "state/other/file"):
            (self.root / secret).write_text(CANARY)
        (self.root / "town/tinytown.toml").write_text("")
        (self.root / "home/.agent/settings").write_text("model = 1")
        self.tmp = self.root / "state/tmp"
        self.stand_in = self.root / "state/home"
        self.programs = environment.programs_folder(self.root / "run/bin")
        for empty in (self.tmp, self.stand_in):
            empty.mkdir()

    @property
    def clone(self) -> Path:
        return self.root / "state/clone"

    def env(self, kind: str = "bwrap", **more: str) -> dict[str, str]:
        worker = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.root / "home"),
            "LC_ALL": "C.UTF-8", "TZ": "UTC", "GH_TOKEN": CANARY, "GITHUB_TOKEN": CANARY, "REDIS_URL": CANARY,
            "TINYTOWN_REDIS__URL": CANARY, "AWS_SECRET_ACCESS_KEY": CANARY, "CELERY_BROKER_URL": CANARY,
            "EDITOR": CANARY,
        }  # fmt: skip
        return environment.for_agent(
            worker,
            programs=self.programs,
            tmp=Path("/tmp") if kind == "bwrap" else self.tmp,
            cli_env={"MODEL_KEY": "key", contract.ENV_RUN: "forged"},
            driver_env=more,
            marks={contract.ENV_TOWN: str(self.root / "town"), contract.ENV_RUN: "m/box/1"},
        )

    def run(self, *argv: str, kind: str = "bwrap", spec: dict[str, Any] | None = None, **more: Any) -> Ended:
        env = self.env(kind)
        command = sandbox.detect(kind).wrap(
            argv, env=env, clone=self.clone, home=self.stand_in, tmp=self.tmp,
            hidden=[self.root / "town", self.root / "state"], logins=self.root / "logins",
            etc=self.root / "etc", **more,
        )  # fmt: skip
        wanted = RunSpec(
            id="m/box/1", argv=command.argv, files=command.files, env=env, cwd=self.clone, logs=self.root / "logs",
            wrapped=kind == "bwrap", **(spec or {}),
        )  # fmt: skip
        with command:
            return self.runner.run(wanted, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())

    def probe(self, kind: str) -> dict[str, Any]:
        server = self.root / "town/.tt/server.sock"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(server))
            listening.listen()
            args = (CANARY, str(self.root / "town"), str(self.root / "home"), str(server))
            ended = self.run(sys.executable, "-c", PROBE, *args, kind=kind, writable=[self.root / "home/.agent"])
        assert ended.exit_code == 0, ended
        seen: dict[str, Any] = json.loads(ended.stdout)
        return seen


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    runner = Runner()
    yield Place(tmp_path, runner)
    runner.close()


@needs_bwrap
def test_inside_there_is_no_secret_no_town_and_nobody_else(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", CANARY)
    seen = place.probe("bwrap")
    # Its own argument vector names the canary, which the sandbox's first process carries too.
    assert [name for name in seen["found"] if not name.endswith("/cmdline")] == []
    assert seen["server"] is False
    assert seen["town"] is False
    assert seen["home"] == [".agent"]
    assert seen["pids"] <= 3
    assert (place.clone / "made-here").read_text() == "x"


@pytest.mark.parametrize("kind", [pytest.param("bwrap", marks=needs_bwrap), "none"])
def test_the_environment_is_an_allow_list_either_way(place: Place, kind: str) -> None:
    seen = place.probe(kind)
    assert set(seen["env"]) - {"LC_CTYPE", "PWD"} == {
        "BROWSER", "HOME", "LANG", "LC_ALL", "MODEL_KEY", "PATH", "TERM", "TINYTOWN_RUN", "TINYTOWN_TOWN", "TMPDIR",
        "TZ",
    }  # fmt: skip
    assert seen["town"] is (kind == "none")
    assert place.env()[contract.ENV_RUN] == "m/box/1"


@needs_bwrap
def test_the_clis_own_files_are_shown_as_it_needs_them(place: Place) -> None:
    home = place.root / "home"
    (home / ".read-only").write_text("old\n")
    script = f"echo new > {home}/.agent/settings; cat {home}/.read-only; echo new > {home}/.read-only || echo refused"
    ended = place.run("sh", "-c", script, readable=[home / ".read-only", home / ".missing"], writable=[home / ".agent"])
    assert ended.stdout == "old\nrefused\n"
    assert (home / ".agent/settings").read_text() == "new\n"


@needs_bwrap
@pytest.mark.parametrize("folder", ["home", "", "town", "state"])
def test_no_folder_that_holds_a_secret_is_shown_whoever_asks(place: Place, folder: str) -> None:
    secrets = [str(place.root / name) for name in ("home/.netrc", "town/.env", "state/other/file")]
    asked = [place.root / folder]
    ended = place.run("cat", *secrets, readable=asked, writable=asked)
    assert CANARY not in ended.stdout
    assert ended.exit_code == 1


@needs_bwrap
def test_the_system_is_read_only_and_tmp_is_its_own(place: Place) -> None:
    mine = Path("/tmp") / f"outside-{os.getpid()}"
    mine.write_text(CANARY)
    try:
        script = (
            f"touch /usr/x /etc/x 2>/dev/null && echo bad; cat {mine}; echo mine > /tmp/inside; cat /etc/shadow; id -u"
        )
        ended = place.run("sh", "-c", script)
    finally:
        mine.unlink()
    whom = sandbox.detect("bwrap").identity
    assert ended.stdout == f"{os.getuid() if whom is None else whom.uid}\n"
    assert (place.tmp / "inside").read_text() == "mine\n"
    assert not Path("/tmp/inside").exists()


@needs_bwrap
def test_tt_and_the_demo_agent_start_inside(place: Place) -> None:
    if not (place.programs / "tt").exists():
        pytest.skip("tinytown is not installed, only importable")
    ended = place.run("sh", "-c", "command -v tt; tt-demo-agent --help")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.startswith(f"{place.programs}/tt\n")
    assert "demo" in ended.stdout


@needs_bwrap
def test_a_program_in_the_users_home_is_shown_without_the_home(place: Place) -> None:
    tools = place.root / "home/tools"
    tools.mkdir()
    (tools / "agent").write_text("#!/bin/sh\ncat $(dirname $0)/words; ls -a $HOME\n")
    (tools / "agent").chmod(0o755)
    (tools / "words").write_text("hello\n")
    assert place.run(str(tools / "agent")).stdout == "hello\n.\n..\ntools\n"
    bare = place.root / "home/agent"
    shutil.copy(tools / "agent", bare)
    # Where folders were shown in an earlier run, empty ones stay behind.
    assert place.run(str(bare)).stdout == ".\n..\nagent\ntools\n"
    assert not list((place.stand_in / "tools").iterdir())


@needs_bwrap
def test_a_program_in_a_virtual_environment_starts(place: Place) -> None:
    folder = place.root / "home/venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    script = folder / "bin/agent"
    script.write_text(f"#!{folder}/bin/python\nimport sys; print(sys.prefix)\n")
    script.chmod(0o755)
    assert place.run(str(script)).stdout == f"{folder}\n"


def tool(path: Path, text: str) -> Path:
    """An executable script at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


#: First lines of a script whose interpreter is elsewhere in the home; ``{node}`` is its path.
FIRST_LINES = [
    "#!{node}",
    "#! {node} -P",
    "#!/usr/bin/env nodish",
    "#!/usr/bin/env -S nodish -P",
    "#!/usr/bin/env -S MODE=fast nodish -P",
    "#!/usr/bin/env --split-string=nodish",
    "#!{home}/wrapped/run",
    "#!/bin/sh\n'''exec' \"{node}\" \"$0\" \"$@\"\n' '''",
]


@needs_bwrap
@pytest.mark.parametrize("first", FIRST_LINES)
@pytest.mark.parametrize("linked", [False, True])
def test_the_interpreter_of_a_script_is_shown_wherever_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch, first: str, linked: bool
) -> None:
    """Also where it is reached by links, by other scripts, or by the PATH; the home around it is not shown."""
    home = place.root / "home"
    # What it needs lies beside it, as with any interpreter.
    version = home / "versions" / "v22"
    (version / "lib").mkdir(parents=True)
    (version / "bin").mkdir()
    shutil.copy(Path(sys.executable).resolve(), version / "lib" / "real")
    tool(version / "bin" / "nodish", "")
    (version / "bin" / "nodish").unlink()
    (version / "bin" / "nodish").symlink_to("../lib/real")
    node = version / "bin" / "nodish"
    if linked:
        (home / "current").symlink_to(version)
        node = home / "current" / "bin" / "nodish"
    tool(home / "wrapped" / "run", f"#!{node}\nimport sys; exec(open(sys.argv[1]).read())\n")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{node.parent}")
    body = f"print('it runs'); print(open('{home}/.netrc').read())"
    script = tool(home / "elsewhere" / "agent", f"{first.format(node=node, home=home)}\n{body}\n")
    ended = place.run(str(script))
    assert ended.stdout == "it runs\n", ended.stderr
    assert "No such file" in ended.stderr


@needs_bwrap
def test_a_launcher_finds_what_it_launches(place: Place) -> None:
    """Of a version manager, and of a package manager that keeps packages beside its launchers."""
    root = place.root / "home" / ".manager"
    tool(root / "versions" / "3" / "bin" / "agent", "#!/bin/sh\necho launched\n")
    tool(root / "libexec" / "manager", f"#!/bin/sh\nexec {root}/versions/3/bin/$2\n")
    shim = tool(root / "shims" / "agent", f'#!/bin/sh\nexec "{root}/libexec/manager" exec agent\n')
    ended = place.run(str(shim))
    assert ended.stdout == "launched\n", ended.stderr
    tool(place.root / "home" / "pkg" / "store" / "cli.sh", "#!/bin/sh\necho beside\n")
    words = '#!/bin/sh\nbasedir=$(dirname "$0")\nexec "$basedir/../pkg/store/cli.sh" "$@"\n'
    assert place.run(str(tool(place.root / "home" / "pnpm" / "agent", words))).stdout == "beside\n"


@needs_bwrap
def test_the_tree_inside_is_ended_from_outside(place: Place) -> None:
    script = "trap 'echo tidied; exit 3' TERM; setsid sleep 600 & echo ready; while :; do sleep 0.05; done"
    ended = place.run("sh", "-c", script, spec={"timeout": 1.5, "grace": 5.0})
    # The agent had its grace although the sandbox around it takes none.
    assert (ended.reason, ended.exit_code, ended.stdout) == ("timed_out", 3, "ready\ntidied\n")
    assert not orphans.marked(place.root / "town")


@needs_bwrap
def test_the_tree_inside_dies_with_its_guard_and_worker(tmp_path: Path) -> None:
    place = Place(tmp_path, Runner())
    place.runner.start()
    guard = place.runner._guard
    assert guard is not None
    ended: list[Ended] = []
    script = "setsid sleep 600 & echo ready; sleep 600"
    thread = threading.Thread(target=lambda: ended.append(place.run("sh", "-c", script)))
    thread.start()
    try:
        log = tmp_path / "logs/stdout.log"
        wait_until(lambda: log.exists() and log.read_text() == "ready\n", description="the agent")
        assert orphans.marked(tmp_path / "town")
        os.kill(guard.process.pid, signal.SIGKILL)
        thread.join(10)
        assert [e.reason for e in ended] == ["lost_guard"]
        wait_until(lambda: not orphans.marked(tmp_path / "town"), timeout=2, description="no process of the agent")
    finally:
        place.runner.close()
        thread.join(10)


# -- whether there is one -------------------------------------------------------------------------


@pytest.fixture
def tried_anew() -> Iterator[None]:
    detection.try_bwrap.cache_clear()
    yield
    detection.try_bwrap.cache_clear()


@pytest.mark.parametrize("script", [None, "#!/bin/sh\necho 'bwrap: no namespaces' >&2; exit 1\n"])
def test_without_a_working_bubblewrap_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried_anew: None, script: str | None
) -> None:
    if script is not None:
        (tmp_path / "bwrap").write_text(script)
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = "bubblewrap isn't installed" if script is None else "bubblewrap does not work here: bwrap: no namespaces"
    found = sandbox.detect("auto")
    assert found == sandbox.Sandbox("none", reason)
    assert found.wrap(["agent"], env={}, clone=tmp_path, home=tmp_path, tmp=tmp_path).argv == ["agent"]
    with pytest.raises(ConfigurationError, match=reason):
        sandbox.detect("bwrap")


def test_it_can_be_switched_off() -> None:
    assert sandbox.detect("none").reason == "switched off by `[sandbox] kind`"
