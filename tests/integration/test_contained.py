"""The sandbox of kind ``container``: what is seen, reached and used inside, and how it ends. Real podman."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import podman as engine_of_tests
from tests.integration.test_confinement import PROBE as POWERS
from tests.integration.test_limits import FORKS, MEMORY
from tests.integration.test_sandbox import CANARY, PROBE, Place
from tests.waiting import wait_until
from tinytown import settings
from tinytown.errors import ConfigurationError
from tinytown.settings import SandboxSettings
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.limits import quota
from tinytown_workers.network.egress import Policy
from tinytown_workers.run import orphans, standstill
from tinytown_workers.run.announce import announced
from tinytown_workers.run.hold import Hold
from tinytown_workers.run.networks import SandboxNetwork
from tinytown_workers.run.run_spec import Ended, RunSpec
from tinytown_workers.run.runner import Runner
from tinytown_workers.sandbox import containers, detection

pytestmark = pytest.mark.usefixtures("podman")


class Box(Place):
    """A worker's surroundings, and a way to run something in a container there."""

    #: The program that runs the containers.
    engine = "podman"

    def cage(self) -> sandbox.Sandbox:
        return detection.detect_for(SandboxSettings(kind="container", engine=self.engine), "")

    def command(self, *argv: str, limits: quota.Limits | None = None, **more: Any) -> sandbox.Command:
        cage = dataclasses.replace(self.cage(), limits=limits or quota.Limits())
        return cage.wrap(
            argv, env=self.env(), clone=self.clone, home=self.stand_in, tmp=self.tmp,
            hidden=[self.root / "town", self.root / "state"], logins=self.root / "logins", **more,
        )  # fmt: skip

    def spec(self, command: sandbox.Command, more: Mapping[str, Any] | None = None) -> RunSpec:
        values: dict[str, Any] = {"timeout": 60, "env": self.env(), **(more or {})}
        return RunSpec(
            id="m/box/1", argv=command.argv, files=command.files, cwd=self.clone, logs=self.root / "logs",
            wrapped=True, carried=command.carried, **values,
        )  # fmt: skip

    def contain(self, *argv: str, spec: Mapping[str, Any] | None = None, **more: Any) -> Ended:
        with self.command(*argv, **more) as command:
            return self.runner.run(
                self.spec(command, spec), on_started=lambda _: None, renew=lambda: True, stop=threading.Event()
            )

    def stopped(self, *argv: str, grace: float) -> Ended:
        """Stop it once it has said that it is ready."""
        stop, ended = threading.Event(), list[Ended]()

        def run() -> None:
            with self.command(*argv) as command:
                spec = self.spec(command, {"grace": grace})
                ended.append(self.runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=stop))

        thread = threading.Thread(target=run)
        thread.start()
        self.wait_ready()
        stop.set()
        thread.join(60)
        return ended[0]

    def wait_ready(self) -> None:
        log = self.root / "logs/stdout.log"
        wait_until(lambda: log.exists() and log.read_text() == "ready\n", description="the agent", timeout=60)


@pytest.fixture(params=["podman"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    request.getfixturevalue(request.param)
    runner = Runner()
    made = Box(tmp_path, runner)
    made.engine = request.param
    yield made
    runner.close()
    # Docker's service removes a container a moment after it has ended.
    wait_until(lambda: engine_of_tests.containers() == [], description="no container is left")


#: Docker's containers belong to a service, so nothing but their own first process ends them with a run.
ENGINES = ["podman", *(["docker"] if os.environ.get(engine_of_tests.ENV_THOROUGH) else [])]
both = pytest.mark.parametrize("box", ENGINES, indirect=True)


def test_inside_there_is_no_secret_no_town_and_nobody_else(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", CANARY)
    server = str(box.root / "town/.tt/server.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(server)
        listening.listen()
        args = (CANARY, str(box.root / "town"), str(box.root / "home"), server)
        ended = box.contain(sys.executable, "-c", PROBE, *args, writable=[box.root / "home/.agent"])
    assert ended.exit_code == 0, ended
    seen = json.loads(ended.stdout)
    assert (seen["found"], seen["server"], seen["town"], seen["home"]) == ([], False, False, [".agent"])
    assert seen["pids"] <= 2
    assert set(seen["env"]) - {"LC_CTYPE", "PWD"} == set(box.env())
    assert (box.clone / "made-here").read_text() == "x"
    assert list(box.stand_in.parent.glob("*.box-*")) == []


def test_what_runs_inside_has_no_rights(box: Box) -> None:
    """No capability, no way to one, nothing of the system to write, and no call that the filter refuses."""
    ended = box.contain(sys.executable, "-c", POWERS)
    assert ended.exit_code == 0, ended
    seen = json.loads(ended.stdout)
    whom = box.cage().identity
    assert whom is not None
    assert seen["status"] == {
        **dict.fromkeys(("CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16), "NoNewPrivs": "1", "Seccomp": "2",
    }  # fmt: skip
    assert (seen["uid"], seen["groups"], seen["name"]) == ([whom.uid, whom.uid, whom.gid], [], "agent")
    assert {*seen["calls"].values()} <= {"EPERM", "ENOSYS"}
    assert (seen["families"]["packet"], seen["families"]["vsock"]) == ("EAFNOSUPPORT", "EAFNOSUPPORT")
    assert seen["open"] == []
    assert (box.clone / "made-here").stat().st_uid == whom.uid


@both
def test_streams_and_the_exit_code_pass_through(box: Box) -> None:
    script = "cat; echo wrong >&2; printf '\\0\\377' | od -An -tx1; exit 7"
    ended = box.contain("sh", "-c", script, spec={"stdin": "read me\n"})
    assert (ended.exit_code, ended.stdout, ended.stderr) == (7, "read me\n 00 ff\n", "wrong\n")


def test_a_program_that_is_missing_is_said_as_a_shell_does(box: Box) -> None:
    ended = box.contain("no-such-program")
    assert (ended.exit_code, ended.stderr) == (127, "cannot start no-such-program: No such file or directory\n")


def test_texts_links_and_files_of_the_clis_own_are_shown(box: Box) -> None:
    home = box.root / "home"
    (home / ".read-only").write_text("old\n")
    (home / ".part").write_text(json.dumps({"key": "shown", "other": CANARY}))
    files = sandbox.Files(
        excerpts={home / ".part": lambda text: json.loads(text)["key"]}, made={home / ".made/up": "made up\n"}
    )
    script = (
        f"echo new > {home}/.agent/settings; cat {home}/.read-only {home}/.made/up {home}/.part;"
        f"echo new > {home}/.read-only || echo refused; readlink /var/tmp; echo mine > /tmp/inside"
    )
    ended = box.contain("sh", "-c", script, files=files, readable=[home / ".read-only"], writable=[home / ".agent"])
    assert ended.stdout == "old\nmade up\nshownrefused\n/tmp\n"
    assert (home / ".agent/settings").read_text() == "new\n"
    assert not Path("/tmp/inside").exists()


def test_what_another_run_left_in_the_way_is_not_followed(box: Box, tmp_path: Path) -> None:
    """A link in the home of the run, where something is to be mounted or made, leads nobody out of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (box.stand_in / ".made").symlink_to(outside)
    files = sandbox.Files(made={box.root / "home/.made/up": "made up\n"})
    box.contain("true", files=files)
    assert list(outside.iterdir()) == []


@both
def test_only_the_proxy_leads_out_and_a_low_port_of_the_machine_is_let_in(box: Box) -> None:
    script = """
import os, socket
def tried(family, address):
    with socket.socket(family) as s:
        try:
            s.connect(address)
            return "reached"
        except OSError as error:
            return type(error).__name__
print(tried(socket.AF_INET, ("127.0.0.1", 80)), tried(socket.AF_INET, ("93.184.215.14", 80)))
with socket.create_connection(("127.0.0.1", int(os.environ["http_proxy"].rpartition(":")[2]))) as proxy:
    proxy.sendall(b"CONNECT 169.254.169.254:80 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(proxy.recv(100).split()[1].decode())
print([name for _, name in socket.if_nameindex()])
"""
    network = SandboxNetwork(Policy(loopback=frozenset({80})), {}, log_file=box.root / "network.log")
    with network:
        env = {**box.env(), **network.variables({})}
        ended = box.contain(sys.executable, "-c", script, shared_network=False, spec={"network": network, "env": env})
    assert network.failure == ""
    assert ended.stdout == "reached OSError\n403\n['lo']\n", ended
    assert network.refusals.words() == ("169.254.169.254 (link-local)",)


@both
def test_sigterm_reaches_what_is_inside_and_gives_it_its_grace(box: Box) -> None:
    script = "trap 'echo tidied; exit 3' TERM; setsid sleep 600 & echo ready; while :; do sleep 0.05; done"
    ended = box.stopped("sh", "-c", script, grace=20.0)
    assert (ended.reason, ended.exit_code, ended.stdout) == ("stopped", 3, "ready\ntidied\n")
    assert not orphans.marked(box.root / "town")


@both
def test_who_does_not_listen_is_killed(box: Box) -> None:
    ended = box.stopped("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done", grace=0.2)
    assert (ended.reason, ended.stdout) == ("stopped", "ready\n")
    assert not orphans.marked(box.root / "town")


@both
def test_a_container_dies_with_its_guard(box: Box) -> None:
    """Whatever the engine's own processes do: the first process inside sees that nobody is left who wants it."""
    box.runner.start()
    guard = box.runner._guard
    assert guard is not None
    ended: list[Ended] = []
    thread = threading.Thread(
        target=lambda: ended.append(box.contain("sh", "-c", "setsid sleep 600 & echo ready; wait"))
    )
    thread.start()
    box.wait_ready()
    os.kill(guard.process.pid, signal.SIGKILL)
    thread.join(60)
    assert [one.reason for one in ended] == ["lost_guard"]
    wait_until(lambda: not orphans.marked(box.root / "town"), description="nobody is left")


def test_what_a_killed_worker_leaves_is_removed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container ends at once; what the engine still has on record goes with the next sweep, and nothing else."""
    root = Path(__file__).parents[2]
    code = f"""
import threading
from pathlib import Path
from tests.integration.test_contained import Box
from tinytown_workers.run.runner import Runner
box = Box.__new__(Box)
box.__dict__.update(root=Path({str(box.root)!r}), runner=Runner(), tmp=Path({str(box.tmp)!r}),
                    stand_in=Path({str(box.stand_in)!r}), programs=Path({str(box.programs)!r}))
box.contain("sh", "-c", "setsid sleep 600 & echo ready; wait")
"""
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    box.wait_ready()
    values = {"sandbox": {"kind": "container"}}
    town = Town(root=box.root / "town", id="0123456789ab", settings=settings.parse(values, source="test"))
    assert containers.sweep(town) == 0
    (name,) = engine_of_tests.containers()
    assert "town-m-box-1" in name
    worker.kill()
    worker.wait()
    wait_until(lambda: not orphans.marked(box.root / "town"), description="nobody is left")
    left = engine_of_tests.containers()
    assert containers.sweep(town) == len(left)


@both
@pytest.mark.parametrize(
    ("reason", "script", "limits"),
    [
        ("processes", FORKS, quota.Limits(processes=60)),
        ("memory", MEMORY, quota.Limits(memory=100 << 20)),
    ],
)
def test_a_run_that_reaches_a_limit_ends_by_its_name(box: Box, reason: str, script: str, limits: quota.Limits) -> None:
    ended = box.contain(sys.executable, "-c", script, limits=limits)
    assert ended.reason == reason, ended


def test_open_files_and_shared_memory_have_limits(box: Box) -> None:
    script = "import os, resource; print(resource.getrlimit(7), os.statvfs('/dev/shm').f_blocks >> 18)"
    ended = box.contain(sys.executable, "-c", script, limits=quota.Limits(open_files=256))
    assert ended.stdout == "(256, 256) 1\n"


@both
def test_all_inside_stand_still_and_go_on(box: Box) -> None:
    hold, pids = Hold(), list[int]()
    script = "echo ready; sleep 600 & while [ ! -e go ]; do sleep 0.05; done; exit 5"
    with box.command("sh", "-c", script) as command:
        results: list[Ended] = []

        def run() -> None:
            wanted = box.spec(command)
            results.append(
                box.runner.run(wanted, on_started=pids.append, renew=lambda: True, stop=threading.Event(), hold=hold)
            )

        thread = threading.Thread(target=run)
        thread.start()
        box.wait_ready()
        hold.wanted = True
        wait_until(lambda: hold.obeyed, description="it stands still")
        (marked,) = orphans.marked(box.root / "town").values()
        states = {pid: standstill.state(pid) for pid in marked}
        shells = [pid for pid in marked if b"while [" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert shells
        assert {states[pid] for pid in (*shells, *pids)} == {"T"}
        (box.clone / "go").touch()
        hold.wanted = False
        thread.join(60)
    assert [one.exit_code for one in results] == [5]


@both
def test_who_speaks_is_told_from_who_is_run(box: Box) -> None:
    """Output reaches the guard from the process that wrote it, not from the engine, so a verdict is its CLI's own."""
    script = "import subprocess, sys; print('mine', flush=True); subprocess.run(['echo', 'not mine'])"
    with box.command(sys.executable, "-c", script, review=True, tools=["python3"]) as command:
        spec = box.spec(command.around(announced), {"on_speaker": lambda *_: None})
        ended = box.runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
    assert (ended.stdout, ended.own) == ("mine\nnot mine\n", "mine\n"), ended


def test_a_reviewer_finds_no_program_that_runs_what_it_judges(box: Box) -> None:
    script = "command -v make gcc; command -v git; touch x || echo refused"
    ended = box.contain("/bin/sh", "-c", script, review=True, tools=[])
    assert (ended.stdout.splitlines(), ended.exit_code) == (["/usr/bin/git", "refused"], 0), ended


def test_a_path_that_no_engine_takes_is_said(box: Box) -> None:
    odd = box.root / "home/a,b"
    odd.mkdir()
    with pytest.raises(ConfigurationError, match="its path has a comma"):
        box.command("true", readable=[odd])


def test_a_container_that_does_not_start_is_no_fault_of_its_program(box: Box) -> None:
    """Whatever the program says or exits with, it cannot pass for one."""
    with box.command("true") as command:
        order = {**json.loads(command.files["&order"]), "start": ["podman", "run", "--no-such-option"]}
        broken = dataclasses.replace(command, files={"&order": json.dumps(order).encode()})
        ended = box.runner.run(box.spec(broken), on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
    assert (ended.reason, ended.exit_code) == ("unstarted", 125)
    assert ended.stderr.startswith("tinytown: the container did not start: "), ended
    forged = box.contain("sh", "-c", f"echo '{ended.stderr}' >&2; exit 125")
    assert (forged.reason, forged.exit_code) == ("exited", 125)


def test_an_image_that_was_cleared_away_is_made_anew(box: Box) -> None:
    """As `podman system prune --all` does, while a town runs."""
    assert box.contain("true").exit_code == 0
    subprocess.run(["podman", "rmi", "--all", "--force"], check=True, capture_output=True)
    assert box.contain("true").reason == "unstarted"
    containers.forget()
    assert box.contain("true").exit_code == 0


def test_what_is_missing_is_said_with_what_to_do(box: Box) -> None:
    """An engine that is not there, and one that cannot run containers."""
    with pytest.raises(ConfigurationError, match=r"but no-such-engine was not found.*; install podman, or set `kind"):
        detection.detect_for(SandboxSettings(kind="container", engine="no-such-engine"), "")
    broken = box.root / "docker"
    told = "[ $1 != --version ] || exec echo podman version 1"
    broken.write_text(f"#!/bin/sh\n{told}\necho 'Error: no namespaces for you' >&2; exit 125\n")
    broken.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"but docker: Error: no namespaces for you; see that `docker run`"):
        detection.detect_for(SandboxSettings(kind="container", engine=str(broken)), "")
    found = dataclasses.replace(box.cage(), keeps_limits=False, less="they are not handed down")
    assert [one.said for one in found.weaknesses()] == [
        "containers have no limits of memory and processes of their own: they are not handed down"
    ]


def test_without_limits_of_its_own_it_is_watched(box: Box) -> None:
    cage = dataclasses.replace(box.cage(), keeps_limits=False)
    limits = quota.Limits(memory=100 << 20)
    with dataclasses.replace(cage, limits=limits).wrap(
        [sys.executable, "-c", MEMORY], env=box.env(), clone=box.clone, home=box.stand_in, tmp=box.tmp
    ) as command:
        spec = box.spec(command, {"limits": command.left_to_guard(limits)})
        ended = box.runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
    assert ended.reason == "memory", ended
