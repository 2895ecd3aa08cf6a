"""Whatever cannot be done is refused: one clear sentence with the remedy, the right exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import AGENT, TIMING, TT, Project
from tests.typist import type_tt
from tests.waiting import patience, wait_until
from tinytown.state import duties

ISSUES = {
    1: "# First\n",
    2: "# Second\n\nIt depends on #1.\n",
    3: "# Third\n\nSee #1.\n",
    11: "# Hen\n\nSome words first.\n\nDepends on #12.\n",
    12: "# Egg\n\nBlocked by #13\n",
    13: "# Nest\n\nAfter #11.\n",
    14: '+++\nstate = "completed"\n+++\n# Done long ago\n',
    15: '+++\nstate = "not_planned"\n+++\n# Never wanted\n',
    16: '+++\nlabels = ["role:bakcend"]\n+++\n# Labelled\n',
    17: "No heading here.\n",
    18: '+++\nlables = ["docs"]\n+++\n# Misspelt\n',
    19: "# Waits in vain\n\nSome words.\n\nDepends on #999.\n",
    20: "# Waits for what nobody wants\n\nAfter #15.\n",
    21: "# Waits for what cannot be read\n\nAfter #17.\n",
}
DEAD = "redis://127.0.0.1:1/0"


def traces(project: Project) -> object:
    """Everything that a refused command could have left: records, refs, files, configuration."""
    context = project.context()
    town = project.town
    kept = [town.run / "wishes", town.work, town.attempts]
    return (
        context.store.mission_ids(live=False),
        context.store.client.hgetall(context.store.keys.issues),
        sorted(set(context.crew.agents()) - {"checks"}),
        project.git("for-each-ref", "--format=%(refname) %(objectname)"),
        project.git("status", "--porcelain", "--untracked-files=no"),
        project.git("ls-files", "--others", "--exclude=.tt"),
        sorted(str(path) for folder in kept for path in folder.rglob("*")),
    )


def refused(
    project: Project, *words: str, code: int, says: list[str], env: dict[str, str] | None = None, traced: bool = True
) -> str:
    """Type a command that must be refused in a sentence and a remedy; gives what it said."""
    before = traces(project) if traced else None
    typed = [str(TT), *words]
    done = type_tt(typed, cwd=project.root, env={**os.environ, **(env or {})}, timeout=patience(60))
    said = f"tt {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == code, said
    assert done.stdout == "", said
    assert re.fullmatch(r"error: [^\n]+\n  [^\n]+\n", done.stderr), said
    for text in says:
        assert text in done.stderr, said
    assert not traced or traces(project) == before, said
    return done.stderr


def start(*issues: int | str, more: tuple[str, ...] = ()) -> list[str]:
    """The words of ``tt mission start``."""
    return ["mission", "start", *(word for issue in issues for word in ("-i", str(issue))), *more]


def test_issues_that_cannot_be_worked_on(project: Project) -> None:
    """A circle, an unknown or closed issue, a role that there is not, an unreadable file, a live mission's issue."""
    project.found(ISSUES)
    refused(
        project,
        *start(11, 12, 13),
        code=4,
        says=[
            "local/project#11 -> local/project#12 -> local/project#13 -> local/project#11",
            "local/project#11 line 5: Depends on #12.",
            "local/project#12 line 3: Blocked by #13",
            "local/project#13 line 3: After #11.",
            "remove one of these dependencies",
        ],
    )
    refused(project, *start(1, 99), code=3, says=["issues/99.md"])
    refused(project, *start(14), code=4, says=["local/project#14 is closed as completed", "reopen it"])
    refused(project, *start(15), code=4, says=["local/project#15 is closed as not planned"])
    refused(project, *start(16), code=2, says=["local/project#16", "'bakcend'", "did you mean `backend`"])
    refused(project, *start(17), code=2, says=["issues/17.md", "no heading"])
    refused(project, *start(18), code=2, says=["issues/18.md", "unknown key `lables`, did you mean `labels`"])
    refused(
        project, *start(1, 19), code=3,
        says=["local/project#19 depends on local/project#999, which does not exist", "issues/19.md:5", "on #999."],
    )  # fmt: skip
    refused(
        project, *start(20), code=4,
        says=["local/project#15, which was closed as not planned (issues/20.md:3", "reopen local/project#15"],
    )  # fmt: skip
    refused(project, *start(21), code=2, says=["issues/17.md", "no heading"])
    plan = project.json("mission", "plan", "-i", "19", "-i", "20")
    assert [one["message"].partition(", which ")[2].partition(" (")[0] for one in plan["refusals"]] == [
        "does not exist",
        "was closed as not planned",
    ]
    refused(project, *start("seven"), code=2, says=["'seven' is not an issue"])
    refused(project, *start("local/elsewhere#1"), code=2, says=["no repository is named local/elsewhere"])
    refused(project, *start(1, more=("--doc", "none.md")), code=2, says=["none.md is not a text file"])
    refused(project, *start(1, more=("--doc", "../journal.jsonl")), code=2, says=["inside the repository"])
    refused(project, *start(), code=2, says=["at least one issue", "tt mission start --issue 1"])

    # Nobody is there to work on it, so it only waits; and one that is in it cannot be in another.
    done = project.tt(*start(1, 2, 3))
    mission = project.json("mission", "status")["id"]
    for note in (
        "no agents are running",
        "the role worker (3 items): run `tt spawn worker`",
        "nobody could review: run",
    ):
        assert note in done.stderr
    assert "note: #3 mentions #1 (line 3), which is not read as a dependency" in done.stderr
    refused(
        project, *start(1), code=4, says=[f"local/project#1 is already in mission {mission}", f"--run {mission[:8]}"]
    )
    refused(project, "mission", "status", "--run", "ffffffff", code=3, says=["ffffffff"])
    refused(project, "mission", "retry", mission[:8], "7", code=3, says=["`7` names no item"])
    refused(project, "mission", "retry", mission[:8], "2", code=4, says=["nothing to retry"])
    refused(project, "mission", "merge", mission[:8], "1", code=4, says=["nothing to merge"])
    refused(project, "mission", "note", mission[:8], "redirect 1 to nobody", code=3, says=["no agent `nobody`"])
    refused(project, "mission", "note", mission[:8], "redirect 1", code=2, says=["redirect ITEM to AGENT"])
    refused(project, "mission", "note", mission[:8], " ", code=2, says=["the note is empty"])
    looks_like = "pause between retries should be 5 seconds"
    refused(project, "mission", "note", mission[:8], looks_like, code=2, says=["is not one", "pause: WHY", "--remark"])
    refused(project, "mission", "note", mission[:8], "rety 1", code=2, says=['write "retry 1"', "--remark"])
    assert project.status(mission)["state"] != "paused"
    assert "noted" in project.tt("mission", "note", mission[:8], "--remark", looks_like).stdout
    assert project.status(mission)["state"] != "paused"
    project.tt("mission", "stop", "--force", mission[:8])
    refused(project, "mission", "resume", mission[:8], code=4, says=["is cancelled", "start a new one"])
    refused(project, "mission", "stop", mission[:8], code=4, says=["is cancelled"])


def test_manifests_agents_and_options(project: Project, tmp_path: Path) -> None:
    """A bad manifest is named with its line; a role, a CLI, a name or an option that there is not."""
    project.found(ISSUES, extra='\n[agent_clis.absent]\ncommand = "no-such-program --now"\n')
    manifest = tmp_path / "mission.toml"
    for text, line, says in [
        ("[[overrides]]\nissue = 1\nowner_rloe = 'x'\n", 3, "unknown key `owner_rloe`"),
        ("[[overrides]]\nissue = 1\nowner_role = 'bakcend'\n", 1, "there is no role 'bakcend'"),
        ("\n[[overrides]]\nissue = 7\n", 2, "local/project#7 is not in this mission"),
        ("[[overrides]]\nissue = 1\npriority = 'high'\n", 3, "`priority` is not a whole number"),
        ("[[overrides]]\nissue = 1\n[[overrides]]\nissue = 1\n", 3, "local/project#1 is overridden at line 1 already"),
        ("[[overrides]]\nissue = 1\nkind = \n", 3, "not valid TOML"),
    ]:
        manifest.write_text(text)
        refused(project, *start(1, more=("--manifest", str(manifest))), code=2, says=[f"{manifest}:{line}: {says}"])
    manifest.write_text("[[overrides]]\nissue = 1\nskip = true\n")
    refused(project, *start(1, more=("--manifest", str(manifest))), code=4, says=["skips every issue"])
    manifest.write_text("[[overrides]]\nissue = 1\ndepends_on = [2]\n")
    said = refused(project, *start(1, 2, more=("--manifest", str(manifest))), code=4, says=["in a circle"])
    assert f"by {manifest}:1: depends on local/project#2" in said
    refused(project, *start(1, more=("--manifest", "none.toml")), code=3, says=["none.toml does not exist"])

    refused(project, "spawn", "one", "--cli", "faek", code=2, says=["no agent CLI `faek`, did you mean `fake`"])
    refused(project, "spawn", "one", "--cli", "fake", "--role", "bakcend", code=2, says=["did you mean `backend`"])
    refused(project, "spawn", "One!", "--cli", "fake", code=2, says=["`One!` cannot be an agent's name"])
    refused(project, "spawn", "conductor", "--cli", "fake", code=2, says=["`conductor` is the conductor, not an agent"])
    refused(project, "spawn", "one", "--cli", "absent", code=4, says=["`absent` is not installed: `no-such-program`"])
    refused(project, "kill", "nobody", code=3, says=["there is no agent `nobody`", "tt list"])
    refused(project, "send", "nobody", "hello", code=3, says=["there is no agent `nobody`"])
    refused(project, "review", "approve", code=4, says=["from inside a review"])
    assert project.tt("task", "current").stdout == "📭 Nobody is at work.\n"

    before = traces(project)
    for words, says in [
        (start(1, more=("--max-paralel", "2")), "--max-parallel"),
        (start(1, more=("--max-parallel", "0")), "'--max-parallel'"),
        (start(1, more=("--budget-usd", "0")), "'--budget-usd'"),
        (start(1, more=("--budget-usd", "nan")), "'--budget-usd'"),
        (["mission", "resume", "--budget-usd", "inf"], "'--budget-usd'"),
        (["mission", "strat"], "no such command 'strat'"),
        (["mission", "note"], "missing argument"),
    ]:
        assert says in project.tt(*words, code=2).stderr
    assert traces(project) == before


def test_repositories_that_are_not_fit(project: Project, tmp_path: Path) -> None:
    """Detached, empty, without its base: said before anything is saved, and accepted once mended."""
    project.found(ISSUES)
    file = project.root / "issues" / "1.md"

    project.git("checkout", "-q", "--detach")
    refused(project, *start(1), code=4, says=["detached HEAD", "git switch main"])
    project.git("checkout", "-q", "-b", "side")
    project.git("branch", "-m", "main", "trunk")
    refused(project, *start(1), code=4, says=["no branch `main`", "forge.base"])
    project.git("branch", "-m", "trunk", "main")
    project.git("branch", "tt")
    refused(project, *start(1), code=4, says=["a branch named `tt`", "git branch -m tt"])
    project.git("branch", "-D", "tt")

    # Files that git does not track stand in nobody's way; the town's own files are among them.
    (project.root / "notes.txt").write_text("mine\n")
    assert "?? tinytown.toml" in project.git("status", "--porcelain")
    mission = project.start(1)
    project.tt("mission", "stop", "--force", mission)
    # Nor does a change of the configuration that was committed.
    project.git("checkout", "-q", "main")
    project.git("add", "tinytown.toml")
    project.git("commit", "-q", "-m", "Configure")
    with (project.root / "tinytown.toml").open("a") as config:
        config.write("# a remark\n")
    mission = project.start(1)
    project.tt("mission", "stop", "--force", mission)
    assert file.exists()

    # A repository without a commit, whose town was made all the same.
    project.git("update-ref", "-d", "refs/heads/main")
    refused(project, *start(1), code=4, says=["has no commits yet", "git commit"])


@pytest.mark.parametrize("command", [["mission", "start", "-i", "1"], ["mission", "status"], ["list"], ["spawn", "x"]])
def test_a_folder_that_is_no_town(project: Project, command: list[str]) -> None:
    """4, and the command that makes it one."""
    project.root.mkdir()
    done = project.tt(*command, code=4)
    assert done.stderr.endswith("is not in a town\n  run `tt init` in your repository first\n")
    assert list(project.root.iterdir()) == []


def test_configurations_that_are_wrong(project: Project) -> None:
    """Each names the file, the key and the remedy, whichever command reads it."""
    project.found(ISSUES)
    context = project.context()
    wait_until(
        lambda: "checks" in context.crew.alive() and duties.ticks(context.store),
        description="all have read the good one",
    )
    file = project.root / "tinytown.toml"
    good = file.read_text()
    commands = [start(1), ["mission", "status"], ["spawn", "one"], ["status"]]
    for number, (text, says) in enumerate(
        [
            (good.replace("checks = []", "chekcs = []"), ["`forge.local.chekcs`, did you mean `checks`"]),
            (f"max_agent = 3\n{good}", ["unknown key `max_agent`, did you mean `max_agents`"]),
            (good.replace("tick_secs = 1", "tick_secs = 0"), ["`timing.tick_secs`", "greater than 0"]),
            (good.replace("lease_secs = 6", "lease_secs = 1"), ["timing.lease_secs must be at least twice"]),
            (good.replace('kind = "none"', 'kind = "docker"'), ["`sandbox.kind`", "'bwrap'"]),
            (f"{good}\n[forge\n", ["is not valid TOML", "line"]),
            (f"{good}\n[roles.Big]\n", ["[roles.Big]", "is not a name"]),
        ]
    ):
        file.write_text(text)
        words = start(1) if "Big" in says[0] else commands[number % len(commands)]
        refused(project, *words, code=2, says=["tinytown.toml"] * ("Big" not in says[0]) + says, traced=False)
    file.write_bytes(b"name = '\xff'\n")
    refused(project, *start(1), code=2, says=["tinytown.toml cannot be read: not UTF-8"], traced=False)
    file.write_text(good.replace("checks = []", ""))
    refused(project, *start(1), code=4, says=["`forge.local.checks` is not set", 'checks = ["make test"]'])
    file.write_text(good.replace('base = "main"', ""))
    refused(project, *start(1), code=2, says=["`forge.base` is not set"])
    file.write_text(good)

    misspelt = {"TINYTOWN_POLICY__MAX_ATEMPTS": "5"}
    refused(project, *start(1), code=2, says=["`policy.max_atempts`, did you mean `max_attempts`"], env=misspelt)
    user = Path(os.environ["HOME"]) / ".tt" / "config.toml"
    user.parent.mkdir(exist_ok=True)
    user.write_text("default_clii = 'x'\n")
    try:
        refused(project, *start(1), code=2, says=["`default_clii`, did you mean `default_cli`"], traced=False)
    finally:
        user.unlink()
    identity = project.root / ".tt" / "town.json"
    known = identity.read_text()
    identity.write_text("{")
    refused(project, "mission", "status", code=2, says=["town.json is damaged", "backup"], traced=False)
    identity.write_text(known)
    assert project.context().store.mission_ids(live=False) == []

    # Each command that needs the database says so where another one is named, which is away besides.
    for words in (start(1), ["mission", "status"], ["spawn", "one", "--cli", "fake"], ["list"], ["inbox"], ["status"]):
        refused(project, *words, code=5, says=[f"REDIS_URL is set to {DEAD}", "unset"], env={"REDIS_URL": DEAD})
    assert json.loads(project.tt("mission", "list", "--all", "--json").stdout) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of so many megabytes; calling it again resizes it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def size(megabytes: int) -> Path:
        nonlocal mounted
        options = f"{'remount,' if mounted else ''}size={megabytes}m,mode=700"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted = True
        return folder

    yield size
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_of_the_work(
    small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    """An attempt whose disk is full is parked and costs nothing; it goes on when there is room, or help is asked."""
    disk = small_disk(70)
    monkeypatch.setenv("XDG_STATE_HOME", str(disk))
    issues = {1: "# One\n\ndo: first 1 fill\ndo: write one.txt 1\n", 2: "# Two\n\ndo: write two.txt 2\n"}
    monkeypatch.setenv("TINYTOWN_LIMITS__DISK_FREE", "40M")
    project.found(issues, timing={**TIMING, "backoff_secs": 1.5})
    project.spawn("worker")

    # The agent leaves no byte for what it wrote: it stays where it is until there is room.
    mission = project.start(1, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "disk_full")
    assert "free some space" in waiting.remedy
    small_disk(300)
    project.wait_state(mission, "completed")
    first = project.events(mission, "attempt_ended")[0]
    assert first.data["outcome"] == "disk_full"
    assert first.data["summary"].startswith("no space to collect")
    assert project.item(mission, 1).failures.get("work", 0) == 0
    assert project.git("show", "main:one.txt") == "1"
    assert "full-4096-0" in project.git("ls-tree", "--name-only", "main"), "what the first run wrote was salvaged"

    # Too full to begin: nobody is launched, a person is asked, and it goes on by itself once there is room.
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - (25 << 20))
    mission = project.start(2, options=("--no-reviewer",))
    said = wait_until(project.help, description="the conductor is asked")
    assert "Issue #2 is ready but nobody can take it: " in said
    assert f"more must be free at {disk}" in said
    item = project.item(mission, 2)
    assert (item.state, item.failures, item.fence, len(project.runs(item=2))) == ("ready", {}, 0, 0)
    ballast.unlink()
    project.wait_state(mission, "completed")


def test_a_cli_that_is_gone_is_no_fault_of_the_work(project: Project, tmp_path: Path) -> None:
    """Nothing is used up while it is away, or while it cannot be given its brief; the item says what is wrong."""
    program = tmp_path / "bin" / "agent"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -S {AGENT}\n")
    program.chmod(0o755)
    file = f'{{ JOURNAL = "{project.journal}" }}'
    extra = f'\n[agent_clis.mine]\ncommand = "{program}"\nenv = {file}\n'
    # One argument that no system takes: a brief, and the same brief again and again.
    extra += f'\n[agent_clis.wordy]\ncommand = "{program} {"{prompt}" * 30}"\nenv = {file}\n'
    project.found({1: "# One\n\ndo: write one.txt 1\n" + "漢字\n" * 2000}, clis=(), extra=extra)
    project.spawn("worker", cli="wordy")
    mission = project.start(1, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "needs_help")
    assert "the system takes 131071" in waiting.remedy
    assert "write `{prompt_file}` instead of `{prompt}` in `agent_clis.wordy.command`" in waiting.remedy
    assert (project.item(mission, 1).failures, project.runs()) == ({}, [])
    project.tt("mission", "stop", "--force", mission)
    project.tt("kill", "worker")
    project.spawn("worker", cli="mine")
    program.rename(program.with_name("away"))
    mission = project.start(1, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "needs_help")
    assert f"the CLI mine is not installed: `{program}` was not found" in waiting.remedy, project.account(mission)
    program.with_name("away").rename(program)
    project.tt("mission", "note", mission[:8], "retry 1")
    project.wait_state(mission, "completed")
    assert project.item(mission, 1).failures.get("work", 0) == 0
    assert project.git("show", "main:one.txt") == "1"
