"""A town's processes: kept alive, adopted, ended. Sleepers stand for the town's own workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until
from tinytown import processes
from tinytown.engine.context import Context
from tinytown.engine.dispatch import placement
from tinytown.engine.operate import installed
from tinytown.errors import ConfigurationError, UnreachableError
from tinytown.host import lifecycle as life
from tinytown.host import process_logs, process_specs
from tinytown.host.process_specs import Kind, ProcessSpec, ProcessState
from tinytown.host.server import server_process
from tinytown.host.watchdog import start_supervisor
from tinytown.missions.records.agent import Agent
from tinytown.settings import AgentCliSettings
from tinytown.town import Town, open_town

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
#: Looks after the supervisor, as the town's own processes do.
WATCHING = """
import sys, time
from pathlib import Path
from tinytown.host import watchdog
from tinytown.town import open_town
watchdog.watch_over(open_town(Path(sys.argv[1])))
time.sleep(600)
"""
#: Needs SIGKILL.
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)


@pytest.fixture(autouse=True)
def sleepers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The town's own processes do nothing here, and get little time to end."""
    own = [ProcessSpec("control", SLEEPER, "control", {}), ProcessSpec("beat", SLEEPER, "beat", {})]
    monkeypatch.setattr(life, "own_specs", lambda _town: own)
    monkeypatch.setenv("TINYTOWN_TIMING__KILL_GRACE_SECS", "1")


def add_process(
    town: Town, name: str, argv: Sequence[str], *, kind: Kind, env: Mapping[str, str] | None = None
) -> bool:
    """Have a process kept alive; gives whether its spec is new or changed."""
    return process_specs.write_spec(town, ProcessSpec(name, tuple(argv), kind, dict(env or {})))


def state_of(town: Town, name: str) -> ProcessState:
    """The state of a process that must be alive by now, or soon."""

    def living() -> ProcessState | None:
        found = process_specs.read_states(town).get(name)
        return found if found and found.alive else None

    found = wait_until(living, description=f"{name} is alive")
    assert found is not None
    return found


def kill(pid: int | None, number: signal.Signals = signal.SIGKILL) -> None:
    assert pid is not None
    os.kill(pid, number)


def test_agents_follow_the_installation_that_starts_their_town(town: Town, tmp_path: Path) -> None:
    """One that was moved, removed or updated elsewhere would never start them again, or with older rules."""
    other = tmp_path / "python"
    other.touch()
    worker = ("-m", "tinytown_workers", "--agent")
    add_process(town, "agent-ann", [str(other), *worker, "ann"], kind="agent")
    add_process(town, "agent-bob", [str(tmp_path / "gone"), *worker, "bob"], kind="agent")
    add_process(town, "else", ["/no/such/program", "-m", "more"], kind="agent")

    def programs() -> dict[str, str]:
        return {name: spec.argv[0] for name, spec in process_specs.read_specs(town).items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process_specs, "supervisor", lambda _: processes.Identity(1, 0.0))
        life.renew_agents(town)
        assert programs() == {"agent-ann": str(other), "agent-bob": sys.executable, "else": "/no/such/program"}
    life.renew_agents(town)
    assert programs() == {"agent-ann": sys.executable, "agent-bob": sys.executable, "else": "/no/such/program"}


def test_an_agent_finds_its_cli_where_it_was_found_but_no_tools_in_the_repository(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the repository was written by agents; a relative entry of the PATH leads there."""
    for program in (tmp_path / "bin" / "mine", town.root / "bin" / "ours"):
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    folders = ("./bin", "", tmp_path / "bin", os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    monkeypatch.chdir(town.root)
    clis = {name: AgentCliSettings(command=name) for name in ("mine", "ours")}
    settings = town.settings.model_copy(update={"agent_clis": clis})
    context = Context(replace(town, settings=settings), "redis://127.0.0.1:1")
    for cli in clis:
        folder = installed.folder_of(context, cli)
        placement.start(context, Agent(name=cli, role="worker", cli=cli, cli_folder=folder, spawned_at=0))
    seats = process_specs.read_specs(town)["role-worker"].agents
    assert {name: seat.cli_folder for name, seat in seats.items()} == {"mine": str(tmp_path / "bin"), "ours": ""}


def test_start_brings_up_everything_and_stop_leaves_nothing(town: Town) -> None:
    """Both may be done twice."""
    assert life.start(town) == ["server", "supervisor", "beat", "control"]
    assert life.start(town) == []
    assert life.ensure_running(town) == []
    assert {status.name: status.state for status in life.processes(town)} == {
        "beat": "running",
        "control": "running",
        "server": "running",
        "supervisor": "running",
    }
    pids = [status.pid for status in life.processes(town)]
    assert life.stop(town) == ["beat", "control", "server", "supervisor"]
    assert life.stop(town) == []
    assert not any(processes.start_time(pid or 0) for pid in pids if not is_child(pid))
    assert not town.runtime.exists()
    assert [path.name for path in town.run.rglob("*.json") if path.parent.name != "wishes"] == []


def test_processes_start_in_an_empty_folder_and_know_their_town(town: Town) -> None:
    """A module lying in the user's repository must never be imported."""
    code = (
        "import os, time; print(os.listdir('.'), os.environ['TINYTOWN_TOWN'], os.environ['PYTHONSAFEPATH'], "
        "os.environ['MORE'], flush=True); time.sleep(600)"
    )
    add_process(town, "teller", [sys.executable, "-c", code], kind="agent", env={"MORE": "1"})
    life.start(town)
    log = town.logs / "teller.log"
    wait_until(lambda: log.exists() and log.read_text(), description="it told")
    assert log.read_text() == f"[] {town.root} 1 1\n"


def test_of_a_town_on_github_one_process_alone_has_the_token(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that another process starts again has it, too: who has it goes first."""
    monkeypatch.setenv("GH_TOKEN", "a-token")
    monkeypatch.setenv("TINYTOWN_FORGE__KIND", "github")
    monkeypatch.setenv("TINYTOWN_FORGE__REPO", "octo/site")
    on_github = open_town(town.root)
    watching = (sys.executable, "-c", WATCHING, str(town.root))
    own = [*life.own_specs(on_github), ProcessSpec("forge", watching, "forge", {})]
    monkeypatch.setattr(life, "own_specs", lambda _town: own)
    add_process(on_github, "ada", watching, kind="agent")
    life.start(on_github)

    def holders() -> set[str]:
        names = ("forge", "ada", "control", "beat")
        return {name for name in names if "GH_TOKEN" in psutil.Process(state_of(town, name).pid).environ()}

    assert holders() == {"forge"}
    supervisor = process_specs.supervisor(town)
    assert supervisor is not None
    kill(supervisor.pid)
    again = wait_until(
        lambda: (found := process_specs.supervisor(town)) != supervisor and found,
        description="another supervisor",
    )
    assert psutil.Process(again.pid).environ()["GH_TOKEN"] == "a-token"
    assert holders() == {"forge"}


def test_a_killed_process_is_started_again(town: Town) -> None:
    """At once the first time, and the records say that it happened."""
    life.start(town)
    first = state_of(town, "control")
    kill(first.pid)
    wait_until(lambda: state_of(town, "control").pid != first.pid, timeout=2, description="control runs again")
    second = state_of(town, "control")
    assert (second.restarts, second.last_exit) == (1, -signal.SIGKILL)


def test_a_killed_server_is_back_within_half_a_second(town: Town) -> None:
    """Workers reconnect by themselves, so it is all they lack."""
    life.start(town)
    first = server_process(town)
    assert first is not None
    kill(first.pid)
    wait_until(lambda: server_process(town) not in (None, first), timeout=2, description="the server runs again")


def test_a_process_that_ends_at_once_is_retried_ever_more_slowly(town: Town) -> None:
    """It neither stops the town from starting nor burns the machine."""
    marks = town.root / "marks"
    code = f"open({str(marks)!r}, 'a').write('x'); raise SystemExit(3)"
    add_process(town, "failing", [sys.executable, "-c", code], kind="agent")
    life.start(town)
    wait_until(lambda: marks.exists() and len(marks.read_text()) >= 3, description="it was started three times")
    found = wait_until(
        lambda: next((s for s in life.processes(town) if s.name == "failing" and s.last_exit == 3), None),
        description="its exit code is on record",
    )
    assert found is not None
    assert found.restarts >= 2


def test_a_program_that_is_missing_does_not_disturb_the_others(town: Town) -> None:
    """Its status says so; the supervisor lives on."""
    add_process(town, "absent", ["/no/such/program"], kind="agent")
    life.start(town)
    found = next(status for status in life.processes(town) if status.name == "absent")
    assert (found.state, found.last_exit) == ("restarting", 127)
    assert "is not installed" in (town.logs / "supervisor.log").read_text()
    state_of(town, "control")


def test_a_spec_is_carried_out_at_once_and_so_is_its_removal(town: Town) -> None:
    """A process that ignores SIGTERM is killed after its grace, and its records go."""
    life.start(town)
    assert add_process(town, "alice", DEAF, kind="beat")
    assert not add_process(town, "alice", DEAF, kind="beat")
    alice = wait_until(lambda: process_specs.read_states(town).get("alice"), timeout=2, description="alice is there")
    assert alice is not None
    log = town.logs / "alice.log"
    wait_until(lambda: "deaf" in log.read_text(), description="alice ignores SIGTERM")
    (process_specs.specs_folder(town) / "alice.json").unlink()
    wait_until(lambda: "alice" not in process_specs.read_states(town), description="alice is gone")
    assert not alice.alive
    state_of(town, "control")


def test_a_changed_spec_means_a_new_process(town: Town) -> None:
    """Never two of them at once; and the first one did not fail."""
    life.start(town)
    add_process(town, "alice", SLEEPER, kind="agent")
    first = state_of(town, "alice")
    add_process(town, "alice", SLEEPER, kind="agent", env={"A": "1"})
    wait_until(lambda: state_of(town, "alice").pid != first.pid, description="alice is a new process")
    assert not first.alive
    assert state_of(town, "alice").restarts == 0


def test_a_new_supervisor_adopts_what_a_killed_one_left(town: Town) -> None:
    """Nothing is started twice, on record or not; what has no spec any more is ended."""
    add_process(town, "alice", SLEEPER, kind="agent")
    add_process(town, "bob", SLEEPER, kind="agent")
    life.start(town)
    control, alice, bob = (state_of(town, name) for name in ("control", "alice", "bob"))
    supervisor = process_specs.supervisor(town)
    assert supervisor is not None
    kill(supervisor.pid)
    wait_until(lambda: process_specs.supervisor(town) is None, description="the supervisor is gone")
    assert control.alive
    # As if it had died between starting alice and writing that down.
    process_specs.remove_state(town, "alice")
    (process_specs.specs_folder(town) / "bob.json").unlink()
    assert "supervisor" in life.start(town)
    assert state_of(town, "control").pid == control.pid
    wait_until(lambda: not bob.alive, description="bob is ended")
    wait_until(lambda: not alice.alive, description="the alice without a record is ended")
    assert state_of(town, "alice").pid != alice.pid
    kill(control.pid)
    wait_until(lambda: state_of(town, "control").pid != control.pid, description="the adopted control is watched over")


def test_stop_needs_no_supervisor(town: Town) -> None:
    """What a killed one left is ended all the same, records or not."""
    add_process(town, "alice", SLEEPER, kind="agent")
    life.start(town)
    alice, control = state_of(town, "alice"), state_of(town, "control")
    supervisor = process_specs.supervisor(town)
    assert supervisor is not None
    kill(supervisor.pid)
    wait_until(lambda: process_specs.supervisor(town) is None, description="the supervisor is gone")
    process_specs.remove_state(town, "alice")
    assert life.stop(town) == ["alice", "beat", "control", "server"]
    assert not alice.alive
    assert not control.alive


@pytest.mark.parametrize("text", [None, "", "{}", '{"pid": 1, "created": 0.0}'])
def test_a_record_that_is_lost_or_overwritten_is_written_anew(town: Town, text: str | None) -> None:
    """By whoever holds the lock; so `stop` finds it, even at once."""
    life.start(town)
    supervisor, path = process_specs.supervisor(town), process_specs.supervisor_path(town)
    assert supervisor is not None
    if text is None:
        path.unlink()
        (town.run / "supervisor.lock").unlink()
    else:
        path.write_text(text)
    wait_until(lambda: process_specs.supervisor(town) == supervisor, timeout=5, description="the record is back")
    assert life.start(town) == []
    path.write_text(text or "")
    assert "supervisor" in life.stop(town)
    assert not processes.alive(*supervisor)


def test_a_supervisor_that_comes_after_a_stop_goes(town: Town) -> None:
    """One that was started because another was killed must not bring a stopped town back."""
    life.start(town)
    life.stop(town)
    late = start_supervisor(town, os.environ, again=True)
    wait_until(lambda: not processes.alive(*late), description="it went")
    assert "stopped meanwhile" in (town.logs / "supervisor.log").read_text()
    assert not any(found.alive for found in process_specs.read_states(town).values())


def test_stop_ends_in_order_and_keeps_the_specs(town: Town) -> None:
    """Agents end before control, the server last; the next start brings the agents back."""
    order = town.root / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open({path!r}, 'a').write({name!r} + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(600)"
    )
    for name, kind in (("ctl", "control"), ("clock", "beat"), ("alice", "agent")):
        argv = [sys.executable, "-c", code.format(path=str(order), name=name)]
        add_process(town, name, argv, kind=kind)  # type: ignore[arg-type]
    life.start(town)
    for name in ("ctl", "clock", "alice"):
        log = town.logs / f"{name}.log"
        wait_until(lambda log=log: log.exists() and "up" in log.read_text(), description=f"{name} is up")
    life.stop(town)
    assert order.read_text().split() == ["alice", "clock", "ctl"]
    assert "alice" in life.start(town)


def test_two_starts_at_once_start_everything_once(town: Town) -> None:
    """Whoever comes second finds it all there."""
    with ThreadPoolExecutor(3) as pool:
        started = [name for names in pool.map(lambda _: life.start(town), range(3)) for name in names]
    assert sorted(started) == ["beat", "control", "server", "supervisor"]


def test_a_second_supervisor_gives_way(town: Town) -> None:
    """The lock lets one alone supervise."""
    life.start(town)
    done = subprocess.run(
        [sys.executable, "-m", "tinytown.host.supervisor"],
        env={**os.environ, "TINYTOWN_TOWN": str(town.root)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, "another supervisor is at work" in done.stderr) == (0, True)


def test_everything_ends_when_the_town_is_deleted(town: Town) -> None:
    """There would be no way left to stop it."""
    life.start(town)
    control, server, supervisor = state_of(town, "control"), server_process(town), process_specs.supervisor(town)
    assert server is not None
    assert supervisor is not None
    town.folder.rename(town.root / "gone")
    wait_until(
        lambda: not control.alive and not processes.alive(*server) and not processes.alive(*supervisor),
        description="all processes of the town ended",
    )
    assert not town.runtime.exists()


def test_a_start_that_fails_says_where_to_look(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The own processes of a town must be there."""
    monkeypatch.setattr(life, "START_SECS", 1.0)
    monkeypatch.setattr(life, "own_specs", lambda _town: [ProcessSpec("control", ("/no/such",), "control", {})])
    with pytest.raises(UnreachableError, match=r"process `control` did not start; see .*control\.log"):
        life.start(town)


@pytest.mark.parametrize("name", ["", "../etc", "A", "a b", "x" * 49])
def test_a_name_that_could_be_a_path_is_refused(town: Town, name: str) -> None:
    """It becomes the name of a file."""
    with pytest.raises(ConfigurationError, match="can't be a name"):
        add_process(town, name, SLEEPER, kind="agent")


def test_a_log_that_has_grown_too_long_is_moved_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who append to it go on in the emptied file."""

    monkeypatch.setattr(process_logs, "LOG_LIMIT", 10)
    path = tmp_path / "a.log"
    with path.open("a") as writer:
        writer.write("0123456789ab")
        writer.flush()
        process_logs.rotate(path)
        writer.write("later")
    assert ((tmp_path / "a.log.1").read_text(), path.read_text()) == ("0123456789ab", "later")


def is_child(pid: int | None) -> bool:
    """Started by this very process, so its entry stays until it is reaped."""
    return pid is not None and processes.exit_code(pid) is not None
