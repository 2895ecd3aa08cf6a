"""Agents that misbehave, all in one mission: each is contained, and what the honest did is merged.

Through the real `tt`, workers, git and database, inside the sandbox where there is one. What the single defences do in
every case, and without a sandbox, is shown nearer to them: `test_workspace_traps`, `test_sandbox`, `test_runner`,
`test_agent_socket`, `test_canaries`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.host import server_binary
from tinytown.state.database import connect
from tinytown_workers import sandbox

AGENT = Path(__file__).parents[1] / "fakes" / "hostile_agent.py"
CANARY = "canary-5e1c99"
SECRET_FILES = (".ssh/id_ed25519", ".aws/credentials", ".config/gh/hosts.yml", ".netrc", ".git-credentials")
SECRET_VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "ANTHROPIC_API_KEY", "EDITOR")

#: Those who do their deed in their first attempt and whose work counts all the same.
TOLERATED = (
    "flood", "fork", "no_git", "git_is_a_file", "git_is_a_link", "git_is_another", "traps", "rewrite", "bomb", "junk",
    "judge", "escapes", "thief",
)  # fmt: skip
#: Those whose first attempt fails, with its outcome; the next one is honest.
RETRIED = {"hang": "timed_out", "regicide": "lost"}
LAZY = len(TOLERATED) + len(RETRIED) + 1
HONEST = LAZY + 1

#: Those whose words are worth a look.
LOUD = ("flood", "judge", "escapes", "thief", "hang")

#: What a terminal would obey.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")

#: What contains agents here where nobody says what should.
USUAL = sandbox.detect("auto").kind


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """A server that asks for a password, on a port that whoever is on this machine can reach."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = server_binary.choose(tmp_path).path
    # Not on its command line, which everybody can read.
    words = f"port {port}\nbind 127.0.0.1\nrequirepass {CANARY}\nsave ''\ndir {tmp_path}\nmaxmemory-policy noeviction\n"
    server = subprocess.Popen([str(program), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={})
    assert server.stdin is not None
    server.stdin.write(words.encode())
    server.stdin.close()
    url = f"redis://:{CANARY}@127.0.0.1:{port}/0"
    client = connect(url)
    wait_until(lambda: client.set("secret", CANARY), description="the server answers")
    yield url
    server.kill()
    server.wait()


@pytest.fixture
def secrets(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user whose home and environment are full of them; gives the canary's second half, by which to look for it."""
    home = tmp_path / "home"
    for name in SECRET_FILES:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"password {CANARY}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("REDIS_URL", database)
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, CANARY)
    return CANARY.removeprefix("canary-")


@pytest.fixture(params=[USUAL, "container"])
def kind(request: pytest.FixtureRequest) -> str:
    """What contains them."""
    if request.param == "container":
        request.getfixturevalue("thorough")
    return str(request.param)


def test_a_mission_full_of_villains(secrets: str, project: Project, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Each is classified, retried or escalated; nothing of theirs runs, stays or is merged; the town goes on."""
    sprung = project.root.parent / "SPRUNG"
    token = f"left-behind-{os.getpid()}-{kind}"
    monkeypatch.setenv("TINYTOWN_POLICY__MAX_ATTEMPTS", "2")
    villains = dict(enumerate((*TOLERATED, *RETRIED), start=1))
    issues = {number: f"# Do {name}\n\nvillain: {name}\n" for number, name in villains.items()}
    issues[_number("judge")] += "reviewer: meddler\n"
    issues[LAZY] = "# Do nothing\n\nvillain: lazy always\n"
    issues[HONEST] = "# Do well\n"
    project.found(
        issues,
        clis=(),
        sandbox=kind,
        extra=(
            f'\n[agent_clis.villain]\ncommand = "{sys.executable} -S {AGENT}"\ntimeout = 8\n'
            f'env = {{ SPRUNG = "{sprung}", TOKEN = "{token}", HALF = "{secrets}" }}\n'
        ),
    )
    before = _untouched(project.root)
    project.spawn("worker", "helper", "reviewer", cli="villain")
    mission = project.start(*issues.keys() - {HONEST}, options=("--max-parallel", "3"))
    view = project.wait_state(mission, "blocked", "completed", timeout=90)

    # Classified: what each came to, and who judged it.
    items = {item["number"]: item for item in view["items"]}
    assert {n: i["state"] for n, i in items.items()} == {n: "failed" if n == LAZY else "done" for n in items}
    store = project.context().store
    for number, item in items.items():
        history = store.finished_attempts(mission, item["key"])
        works = [a.report.outcome for a in history if a.purpose == "work"]
        wanted = ["failed"] * 2 if number == LAZY else ["succeeded"]
        if outcome := RETRIED.get(villains.get(number, "")):
            # Inside the sandbox nobody can reach what started it.
            wanted = wanted if kind != "none" and outcome == "lost" else [outcome, *wanted]
        assert works == wanted, (villains.get(number), [(a.report.outcome.value, a.report.summary) for a in history])
        authors = {a.agent for a in history if a.purpose == "work"}
        judges = {a.agent for a in history if a.purpose == "review"}
        assert number == LAZY or (judges and not judges & authors), history

    # Escalated: what nobody could do, and only by the town.
    assert project.item(mission, LAZY).failures == {"work": 2}
    mail = project.tt("inbox", "conductor").stdout
    assert f"Issue #{LAZY} failed: work failed 2 times, last: it made no change" in mail
    assert mail.count("noise") <= 100, "no agent can drown it"

    # Said harmlessly, whatever they printed.
    logs = {name: project.tt("work", "show", str(_number(name)), "--log").stdout for name in LOUD}
    shown = project.tt("mission", "status", "--work").stdout + project.tt("work", "show", str(_number("flood"))).stdout
    assert not CONTROLS.search("".join([*logs.values(), mail, shown]))
    assert "[bold red]rich[/bold red]" in logs["escapes"]
    assert "\\x1b[2J" in logs["escapes"]
    left = project.json("work", "show", str(_number("junk")))["history"][0]["report"]["summary"]
    assert {name for name in ("way-out", "huge", ".tt/", "tinytown.toml") if name not in left} == set()
    assert len(left) < 2000
    written = (project.town.attempts / mission[:8]).rglob("*.log")
    assert sum(path.stat().st_size for path in written) < 20 << 20

    # Contained: nothing runs that was planted, nobody is left, nothing was found out.
    assert not sprung.exists(), "planted code ran as tinytown"
    wait_until(lambda: not _alive(token, str(project.root)), timeout=15, description="no process of theirs is left")
    loot = _loot(logs["judge"])
    assert loot["approve"] == 4
    assert loot["forged"] == 0
    loot = _loot(logs["thief"])
    assert (loot["env"], loot["addresses"], loot["database"]) == ([], [], False)
    if kind != "none":
        assert (loot["files"], loot["others"]) == ([], 0)
        assert loot["processes"] <= 3

    # Merged: their honest work and nothing else, by merges of what was reviewed; the town goes on.
    mission = project.json("mission", "start", "--issue", str(HONEST))["id"]
    project.wait_state(mission, "completed", timeout=30)
    project.tt("doctor")
    _assert_proven(project, [*(n for n in items if n != LAZY), HONEST])
    assert _untouched(project.root) == before
    assert not sprung.exists()


def _number(name: str) -> int:
    return (*TOLERATED, *RETRIED).index(name) + 1


def _loot(log: str) -> dict[str, Any]:
    found = re.search(r"^LOOT (.*)$", log, re.MULTILINE)
    assert found, log
    loot: dict[str, Any] = json.loads(found[1])
    return loot


def _alive(token: str, town: str) -> list[list[str]]:
    """Processes that an agent left: by what stands on their command line, or by their marker."""
    found = []
    for process in psutil.process_iter():
        try:
            words, environment = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        if token in words or ("TINYTOWN_RUN" in environment and environment.get("TINYTOWN_TOWN") == town):
            found.append(words)
    return found


def _untouched(root: Path) -> dict[str, object]:
    """What no agent may change in the user's repository."""
    git = root / ".git"
    return {
        "config": (git / "config").read_text(),
        "hooks": sorted(path.name for path in (git / "hooks").glob("*")),
        "info": {path.name: path.read_text() for path in (git / "info").glob("*") if path.name != "refs"},
        "town": (root / "tinytown.toml").read_text(),
        "identity": (root / ".tt/town.json").read_text(),
        "alternates": (git / "objects/info/alternates").exists(),
    }


def _assert_proven(project: Project, numbers: list[int]) -> None:
    """The base holds one merge for each item, of a commit that was approved, and each work file; no ref is strange."""
    key = "local/project#"
    commits = project.git("log", "--first-parent", "--format=%H%x00%an%x00%s", "main").splitlines()
    *merges, begin = [line.split("\0") for line in commits]
    assert begin[2] == "Begin"
    assert {author for _, author, _ in merges} == {"tinytown"}
    assert sorted(re.findall(rf"Merge {key}(\d+)", "\n".join(m[2] for m in merges))) == sorted(map(str, numbers))
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "-z", "main"], cwd=project.root, capture_output=True, check=True
    )
    files = set(os.fsdecode(listed.stdout).split("\0")) - {""}
    wanted = {f"work-{n}.txt" for n in numbers} | {f"issues/{n}.md" for n in range(1, HONEST + 1)}
    # What is odd but harmless travels: it is for the reviewer to judge.
    allowed = {"half-14.txt", ".gitattributes", "inc.cfg", "vendor/file.txt", "a\nb", "\x1b[31mred", "[bold]", " "}
    assert wanted <= files
    odd = {name for name in files - wanted - allowed if not name.startswith(("n" * 255, "not-", "--upload-pack"))}
    assert odd == set()
    refs = project.git("for-each-ref", "--format=%(refname)").splitlines()
    assert [ref for ref in refs if not re.fullmatch(r"refs/heads/(main|tt/[0-9a-f]{8}/local-project-\d+)", ref)] == []
    assert project.git("status", "--porcelain", "--untracked-files=no") == ""
    project.git("fsck", "--strict", "--no-dangling")
