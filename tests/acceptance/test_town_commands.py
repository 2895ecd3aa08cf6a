"""`tt init`, `start`, `stop` and `doctor`, typed for real: the town's own workers and clock run."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until
from tinytown.host import lifecycle as life
from tinytown.town import open_town

TT = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(checkout: Path) -> Iterator[Path]:
    """A repository that a test may make a town; whatever runs in it afterwards is stopped."""
    yield checkout
    if (checkout / ".tt" / "town.json").exists():
        life.stop(open_town(checkout))


def test_a_town_from_init_to_stop(tt: TT, place: Path) -> None:
    """Each command says what it did, may be typed twice, and stop leaves nothing behind."""
    done = tt("init", "--name", "Tiny", cwd=place)
    assert "Town Tiny in" in done.stdout
    assert "local forge, repository project, base main" in done.stdout
    assert "started server" in done.stderr
    assert done.stderr.count("started ") == 5
    assert "next: `tt spawn NAME --cli CLI`" in done.stderr

    again = tt("init", cwd=place)
    assert again.stdout == "Tiny is already a town: nothing was changed\n"
    assert tt("start", cwd=place).stdout == "Tiny is running already\n"

    findings = {finding["name"]: finding for finding in json.loads(tt("doctor", "--json", cwd=place).stdout)}
    assert findings["server"]["status"] == "ok"
    assert {findings[f"process {name}"]["status"] for name in ("control", "checks", "beat")} == {"ok"}

    pids = [status.pid for status in life.processes(open_town(place))]
    # As after the checkout of a branch that lacks it: what runs can be seen, and ended.
    (place / "tinytown.toml").rename(place / "aside.toml")
    lost = tt("status", cwd=place, code=2).stderr
    assert "tinytown.toml is gone\n  restore it (is it on another branch?)" in lost
    assert "❌ town" in tt("doctor", cwd=place, code=1).stdout
    assert tt("stop", cwd=place).stdout == "project is stopped\n"
    (place / "aside.toml").rename(place / "tinytown.toml")
    tt("start", cwd=place)
    pids += [status.pid for status in life.processes(open_town(place))]
    assert tt("stop", cwd=place).stdout == "Tiny is stopped\n"
    assert not any(psutil.pid_exists(pid or -1) and psutil.Process(pid).status() != "zombie" for pid in pids)
    assert not open_town(place).runtime.exists()
    assert tt("stop", cwd=place).stdout == "Tiny is not running\n"
    assert subprocess.run(
        ["git", "status", "--porcelain"], cwd=place, capture_output=True, text=True, check=True
    ).stdout == ("?? tinytown.toml\n")


def test_a_town_that_is_only_set_up_runs_nothing_until_it_is_started(tt: TT, place: Path) -> None:
    done = tt("init", "--no-start", cwd=place)
    assert done.stderr.splitlines()[-1] == "   next: `tt start` starts it"
    assert {status.state for status in life.processes(open_town(place))} == {"stopped"}
    assert tt("stop", cwd=place).stdout == "project is not running\n"
    assert tt("init", "--no-start", "--json", cwd=place).stderr == ""


def test_doctor_names_a_remedy_for_a_stopped_town(tt: TT, place: Path) -> None:
    """And fails, so that a script can tell."""
    tt("init", cwd=place)
    tt("stop", cwd=place)
    done = tt("doctor", cwd=place, code=1)
    assert "❌ server: the town's server is not running\n   run `tt start`" in done.stdout
    tt("start", cwd=place)
    tt("doctor", cwd=place)


def test_killed_processes_come_back_by_themselves(tt: TT, place: Path) -> None:
    """Each of the town's processes in turn, with SIGKILL."""
    tt("init", cwd=place)
    town = open_town(place)

    def pid(name: str) -> int | None:
        return next((s.pid for s in life.processes(town) if s.name == name and s.state == "running"), None)

    for name in ("control", "checks", "beat", "server"):
        before = pid(name)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        wait_until(lambda name=name, before=before: pid(name) not in (None, before), description=f"{name} is back")
    supervisor = pid("supervisor")
    assert supervisor is not None
    survivors = {name: pid(name) for name in ("control", "checks", "beat", "server")}
    os.kill(supervisor, signal.SIGKILL)
    # Those it left at work bring it back too; whoever is first, there is one.
    tt("start", cwd=place)
    wait_until(lambda: pid("supervisor") not in (None, supervisor), description="the supervisor is back")
    assert {name: pid(name) for name in survivors} == survivors


def test_init_from_a_folder_below_makes_the_repository_a_town(tt: TT, place: Path) -> None:
    """A town is a whole repository, and is found from anywhere in it."""
    below = place / "src" / "deep"
    below.mkdir(parents=True)
    tt("init", cwd=below)
    assert (place / "tinytown.toml").is_file()
    assert tt("stop", cwd=below).stdout == "project is stopped\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["init"], 4, "is not in a git repository\n  run `git init` first"),
        (["start"], 4, "is not in a town\n  run `tt init` in your repository first"),
        (["stop"], 4, "is not in a town"),
        (
            ["init", "--nmae", "x"],
            2,
            "no such option '--nmae', did you mean '--name'\n  see `tt init --help`\n",
        ),
        (["spwan"], 2, "no such command 'spwan', did you mean 'spawn'\n  see `tt --help`\n"),
        (["init", "extra"], 2, "got unexpected extra argument (extra)\n  see `tt init --help`\n"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(tt: TT, tmp_path: Path, words: list[str], code: int, said: str) -> None:
    """No traceback, the right exit code, nothing left behind."""
    done = tt(*words, cwd=tmp_path, code=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[forge]\nknid = 'local'\n", "unknown key `forge.knid`, did you mean `kind`"),
        ("max_agents = 0\n", "`max_agents`: input should be greater than or equal to 1"),
        ("name = \n", "is not valid TOML"),
    ],
)
def test_a_wrong_configuration_is_named_before_anything_starts(tt: TT, place: Path, text: str, said: str) -> None:
    """At init, where nothing is written then."""
    (place / "tinytown.toml").write_text(text)
    done = tt("init", cwd=place, code=2)
    assert said in done.stderr
    assert not (place / ".tt").exists()


def test_a_given_server_is_used(tt: TT, place: Path, server: object) -> None:
    """REDIS_URL wins: nothing of a server's is started, kept or stopped."""
    env = {"REDIS_URL": server.url}  # type: ignore[attr-defined]
    done = tt("init", cwd=place, env=env)
    assert "started server" not in done.stderr
    assert "started control" in done.stderr
    assert ", yours" in tt("doctor", cwd=place, env=env).stdout
    # Without it the town would be another, empty one: that is refused.
    assert "no server is configured here, but the town uses" in tt("start", cwd=place, code=5).stderr
    tt("stop", cwd=place, env=env)
    assert not (place / ".tt" / "data").exists()


def test_an_unforeseen_error_is_one_sentence_with_its_details_in_a_file(tt: TT, place: Path) -> None:
    """For whoever has to report it."""
    tt("init", cwd=place)
    tt("stop", cwd=place)
    pids = place / ".tt" / "run" / "pids"
    pids.rmdir()
    pids.write_text("not a folder")
    # What one check meets hides nothing of what the others find.
    done = tt("doctor", cwd=place, code=1)
    assert "❌ processes: it could not be checked: NotADirectoryError" in done.stdout
    assert "✅ forge" in done.stdout
    done = tt("stop", cwd=place, code=1)
    pids.unlink()
    assert done.stderr.startswith("error: an unexpected error occurred: NotADirectoryError")
    assert "Traceback" not in done.stderr
    log = Path(done.stderr.split("the details are in ")[1].strip())
    assert log.parent == place / ".tt" / "logs"
    assert "Traceback" in log.read_text()


def test_an_agent_has_no_power_over_its_town(tt: TT, place: Path) -> None:
    """Inside an attempt only the commands for agents exist."""
    env = {"TINYTOWN_SOCKET": str(place / "none")}
    assert "`tt stop` cannot be used inside an agent's run" in tt("stop", cwd=place, env=env, code=4).stderr
    assert "mission" not in tt("--help", cwd=place, env=env).stdout
    assert not (place / ".tt").exists()


def test_a_reader_that_has_enough_is_no_error(tt: TT, place: Path) -> None:
    """`tt … | head` ends in silence."""
    program = str(Path(sys.executable).with_name("tt"))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([program, "--help"], cwd=place, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    # A shell may also have closed it from the beginning.
    closed = subprocess.run(
        ["sh", "-c", f"{shlex.quote(program)} --help >&-"], cwd=place, capture_output=True, check=False
    )
    assert (closed.returncode, closed.stderr) == (0, b"")
