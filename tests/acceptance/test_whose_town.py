"""Copied, moved and linked towns, and shells that name another server: whose town a command acts on."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tinytown.host import lifecycle as life
from tinytown.host.server import Server, server_url
from tinytown.town import open_town, read_identity

TT = Callable[..., subprocess.CompletedProcess[str]]
Typed = Callable[..., tuple[int, str, str]]

#: One of every kind of command; reading ones would show the original's missions as this one's.
COMMANDS = [
    ["start"],
    ["stop"],
    ["status"],
    ["spawn", "worker", "--cli", "fake"],
    ["list"],
    ["kill", "worker"],
    ["mission", "start", "--issue", "1"],
    ["mission", "plan", "--issue", "1"],
    ["mission", "status"],
    ["mission", "list"],
    ["mission", "stop"],
    ["mission", "note", "x", "hello"],
    ["mission", "retry", "x"],
    ["mission", "merge", "x", "1"],
    ["work", "show", "1"],
    ["inbox"],
    ["send", "conductor", "hello"],
    ["flower"],
]


@pytest.fixture
def original(checkout: Path) -> Iterator[Path]:
    """A repository with an issue; whatever runs in it or in its neighbours is stopped."""
    (checkout / "issues").mkdir()
    (checkout / "issues" / "1.md").write_text("# One\n")
    subprocess.run(["git", "add", "."], cwd=checkout, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "An issue"], cwd=checkout, check=True)
    yield checkout
    for place in checkout.parent.iterdir():
        if (place / ".tt" / "town.json").exists() and not place.is_symlink():
            life.stop(open_town(place))


def lives(root: Path) -> dict[str, int | None]:
    """The town's processes and their pids."""
    return {status.name: status.pid for status in life.processes(open_town(root))}


def copy(source: Path, name: str) -> Path:
    """As ``cp -r`` does it, sockets and all."""
    target = source.with_name(name)
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    return target


def test_a_copy_never_drives_the_original(tt: TT, typed: Typed, original: Path) -> None:
    """Every command is refused there and changes nothing; `tt init` makes it a town of its own."""
    tt("init", cwd=original)
    before = lives(original)
    written = (original / ".tt" / "town.json").read_bytes()
    made = copy(original, "copy")
    for words in COMMANDS:
        refused = (
            f"error: {made} is a copy of the town at {original}, which still exists\n"
            "  run `tt init` here to make it a town of its own, or work in the original\n"
        )
        assert typed(*words, cwd=made) == (4, "", refused)
    findings = {f["name"]: f for f in json.loads(tt("doctor", "--json", cwd=made, code=1).stdout)}
    assert "is a copy of the town" in findings["town"]["detail"]
    assert "tt init" in findings["town"]["remedy"]
    # Wherever the records about places went.
    state = open_town(original).state
    shutil.rmtree(state)
    assert "is a copy of" in tt("stop", cwd=made, code=4).stderr
    assert "is a copy of" in tt("stop", cwd=made, env={"XDG_STATE_HOME": str(made.parent / "s")}, code=4).stderr
    # The same town by another way is no copy.
    link = original.with_name("link")
    link.symlink_to(original)
    tt("status", cwd=link)
    assert tt("start", env={"TINYTOWN_TOWN": str(link)}, cwd=made).stdout == "project is running already\n"
    assert lives(original) == before

    configuration = (made / "tinytown.toml").read_text()
    done = tt("init", cwd=made)
    assert f"this was a copy of the town at {original}" in done.stderr
    assert (made / "tinytown.toml").read_text() == configuration
    assert read_identity(made).id != read_identity(original).id
    assert tt("mission", "list", "--all", cwd=made).stdout == "No missions.\n"
    assert server_url(open_town(made)) != server_url(open_town(original))
    # Twice is once, and what it does is its own.
    assert "already a town" in tt("init", cwd=made).stdout
    assert tt("stop", cwd=made).stdout == "project is stopped\n"
    assert lives(original) == before
    assert (original / ".tt" / "town.json").read_bytes() == written
    tt("status", cwd=original)


def test_clones_and_worktrees_are_towns_of_their_own(tt: TT, original: Path) -> None:
    """Without `.tt` they are none yet; where somebody committed it, they are copies."""
    tt("init", cwd=original)
    subprocess.run(["git", "add", "-f", "tinytown.toml", ".tt/town.json", ".tt/.gitignore"], cwd=original, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "All of it"], cwd=original, check=True)
    tree, clone = original.with_name("tree"), original.with_name("clone")
    subprocess.run(["git", "worktree", "add", "-q", "-b", "more", str(tree)], cwd=original, check=True)
    subprocess.run(["git", "clone", "-q", str(original), str(clone)], check=True)
    for made in (tree, clone):
        assert "is a copy of the town" in tt("start", cwd=made, code=4).stderr
    subprocess.run(["git", "rm", "-q", "-r", "--cached", ".tt"], cwd=clone, check=True)
    shutil.rmtree(clone / ".tt")
    assert "is not in a town" in tt("start", cwd=clone, code=4).stderr
    assert tt("stop", cwd=original).stdout == "project is stopped\n"


def test_a_town_that_was_moved_goes_on(tt: TT, original: Path) -> None:
    """Its missions and agents are where it is now; what ran in the old place is ended, once."""
    tt("init", cwd=original)
    tt("send", "conductor", "remember this", cwd=original)
    pids = [pid for pid in lives(original).values() if pid]
    town = read_identity(original).id
    moved = original.with_name("moved")
    original.rename(moved)
    done = tt("start", cwd=moved)
    assert f"note: the town has moved here from {original}" in done.stderr
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)
    assert read_identity(moved).id == town
    assert "remember this" in tt("inbox", cwd=moved).stdout
    assert "moved" not in tt("status", cwd=moved).stderr
    # A copy of it that takes the old place is a copy, though that place was once the town's.
    copy(moved, original.name)
    assert f"is a copy of the town at {moved}" in tt("stop", cwd=original, code=4).stderr
    # Once that is gone, the copy is all that is left of it: a restored backup.
    tt("stop", cwd=moved)
    shutil.rmtree(moved)
    assert "the town has moved here from" in tt("start", cwd=original).stderr
    tt("stop", cwd=original)


ACTS = [words for words in COMMANDS if words[0] != "stop" and words[:2] != ["mission", "plan"]]


def test_a_shell_that_names_another_server_is_refused(tt: TT, typed: Typed, original: Path, server: Server) -> None:
    """Nothing is written there, and nothing is begun; the same server by another name is the same."""
    tt("init", cwd=original)
    before = lives(original)
    client = redis.Redis.from_url(server.url)
    keys = set(client.keys())
    for variable in ("REDIS_URL", "TINYTOWN_REDIS__URL"):
        for words in [*ACTS, ["stop"]] if variable == "REDIS_URL" else [["mission", "start", "-i", "1"], ["stop"]]:
            code, out, error = typed(*words, cwd=original, env={variable: server.url})
            assert (code, out) == (5, "")
            assert error.startswith(
                f"error: {variable} is set to {server.url}?db=0, but the town uses its own server\n"
            )
            assert error.endswith(f"  unset {variable}\n")
    said = tt("mission", "start", "-i", "1", cwd=original, env={"REDIS_URL": "redis://127.0.0.1:1/0"}, code=5).stderr
    assert "REDIS_URL is set to redis://127.0.0.1:1/0" in said
    assert "❌ server: REDIS_URL is set to" in tt("doctor", cwd=original, env={"REDIS_URL": server.url}, code=1).stdout
    assert set(client.keys()) == keys
    client.close()
    assert lives(original) == before
    # Its own server by its address.
    own = {"REDIS_URL": server_url(open_town(original))}
    tt("status", cwd=original, env=own)
    # The configuration changed under a running town: it says so, and can be stopped.
    file = original / "tinytown.toml"
    text = file.read_text()
    file.write_text(text.replace("[redis]\n", f'[redis]\nurl = "{server.url}"\n'))
    assert "run `tt stop`" in tt("mission", "start", "-i", "1", cwd=original, code=5).stderr
    file.write_text(text)
    tt("stop", cwd=original)
    # Stopped, it is still the server that has its missions.
    assert "unset REDIS_URL" in tt("start", cwd=original, env={"REDIS_URL": server.url}, code=5).stderr
    tt("start", cwd=original)
    tt("stop", cwd=original)
