"""Where the measurements happen: folders of their own, a real town in them, and an end to all of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Literal

from bench.meter import median
from bench.shapes import Graph
from tinytown.engine.context import Context
from tinytown.host import lifecycle as towns
from tinytown.host.init import init
from tinytown.host.server import ensure_server, server_url, stop_server
from tinytown.town import open_town
from tinytown_workers.sandbox import detect

#: The folder that ``bench`` is in.
ROOT = Path(__file__).resolve().parents[1]
#: Variables that would lead a measurement to somebody's real town.
_FOREIGN = ("TINYTOWN_", "GIT_", "REDIS_URL", "GH_TOKEN", "GITHUB_TOKEN")

#: The program of an item without git: its only act is to tell the time.
NOOP = ("date", "+%s%N")
#: The program of an item with git: it also leaves a change.
_WRITER = "#!/bin/sh\nnow=$(date +%s%N)\necho $now >stamp.txt\necho $now\n"
#: Agents that run ``NOOP``: as many as there are slots.
SLOTS = 4

#: Agents that the town may have.
MOST = 500

_CONFIGURATION = """
[agent_clis.noop]
command = "{noop}"

[agent_clis.writer]
command = "{writer}"
"""


@contextlib.contextmanager
def folders() -> Iterator[Path]:
    """A folder with a home, state and runtime of its own, for this process and all it starts; removed at the end."""
    # Short, because sockets live in it.
    folder = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            del os.environ[name]
    for variable, name in (("HOME", "home"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
        (folder / name).mkdir(mode=0o700)
        os.environ[variable] = str(folder / name)
    who = {"NAME": "A Bench", "EMAIL": "bench@example.org"}
    os.environ |= {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in who.items()}
    os.environ |= {"XDG_CONFIG_HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        yield folder
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """A SIGTERM ends the measurement like an interrupt: whatever was started is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def town(
    folder: Path, graphs: Mapping[int, tuple[Graph, str]], *, sandbox: Literal["none", "bwrap"] = "none"
) -> Iterator[Context]:
    """A running town with agents, and the issues of ``graphs``: the first number of each, its graph and its role.

    Agents of the role ``worker`` run ``NOOP``, those of the role ``devops`` the program that leaves a change.
    """
    roles = {role for _, role in graphs.values()}
    root = project(folder, graphs, sandbox)
    found = open_town(root)
    try:
        tt(root, "start")
        names = [f"noop{n}" for n in range(1, SLOTS + 1)] if "worker" in roles else []
        for name in names:
            tt(root, "spawn", name, "--cli", "noop", "--role", "worker")
        if "devops" in roles:
            names += ["writer1", "writer2"]
            for name in names[-2:]:
                tt(root, "spawn", name, "--cli", "writer", "--role", "devops")
        context = Context(found, server_url(found), retries=20)
        wait(lambda: context.crew.alive() >= {*names, "checks"}, 60, "the agents are there")
        yield context
    finally:
        towns.stop(found)


@contextlib.contextmanager
def served(folder: Path, graphs: Mapping[int, tuple[Graph, str]]) -> Iterator[Context]:
    """A town of which nothing runs but its server, and the issues of ``graphs``."""
    found = open_town(project(folder, graphs, "none"))
    try:
        yield Context(found, ensure_server(found).url, retries=20)
    finally:
        stop_server(found)


def project(
    folder: Path, graphs: Mapping[int, tuple[Graph, str]], sandbox: Literal["none", "bwrap"], *, hub: str = ""
) -> Path:
    """A town that was never started, and the issues of ``graphs``; the items of roles ``a/b`` take turns."""
    root = folder / "project"
    (root / "issues").mkdir(parents=True)
    (root / "README.md").write_text("# Project\n", encoding="utf-8")
    for first, (graph, roles) in graphs.items():
        taking_turns = roles.split("/")
        for number, needs in graph.items():
            role = taking_turns[number % len(taking_turns)]
            text = "".join(f"Depends on #{first + d}\n" for d in needs)
            head = f'+++\nlabels = ["role:{role}"]\n+++\n' if role != "worker" else ""
            issue = f"{head}# Item {number} of {len(graph)}\n\nTell the time.\n\n{text}"
            (root / "issues" / f"{first + number}.md").write_text(issue, encoding="utf-8")
    writer = folder / "writer"
    writer.write_text(_WRITER, encoding="utf-8")
    writer.chmod(0o755)
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    init(root)
    file = root / "tinytown.toml"
    text = file.read_text(encoding="utf-8").replace("[sandbox]\n", f'[sandbox]\nkind = "{sandbox}"\n')
    text = text.replace("[hub]\n", f'[hub]\nurl = "{hub}"\n') if hub else text
    text = re.sub(r"(?m)^#? ?max_agents.*$", f"max_agents = {MOST}", text)
    file.write_text(text + _CONFIGURATION.format(noop=" ".join(NOOP), writer=writer), encoding="utf-8")
    return root


def no_sandbox() -> str:
    """Why agents cannot be run in bubblewrap here; empty if they can."""
    found = detect("auto")
    return found.reason if found.kind == "none" else ""


def cloning(root: Path, rounds: int) -> float:
    """Seconds of a plain ``git clone`` of the project, the median: the least that a folder of one's own costs."""
    taken = []
    for number in range(rounds):
        target = root.with_name(f"clone-{number}")
        began = time.perf_counter()
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", root, target], check=True)
        taken.append(time.perf_counter() - began)
        shutil.rmtree(target)
    return median(taken)


@contextlib.contextmanager
def process(argv: list[str], *, cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with log.open("wb") as file:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        running = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        yield running
    finally:
        # It has nothing to save, and Celery would take a second.
        running.kill()
        running.wait()


def wait(predicate: Callable[[], bool], seconds: float, what: str, *, pause: float = 0.1) -> None:
    """Wait until it is so; after ``seconds`` an error that says what never was."""
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still not: {what}")
        time.sleep(pause)


def timed(root: Path, *words: str) -> float:
    """Seconds that ``tt`` with these words takes, from its start to its end."""
    program = Path(sys.executable).with_name("tt")
    began = time.perf_counter()
    subprocess.run([program, *words], cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def tt(root: Path, *words: str) -> None:
    program = Path(sys.executable).with_name("tt")
    done = subprocess.run(
        [program, *words], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"tt {' '.join(words)}: {done.stdout}{done.stderr}")
