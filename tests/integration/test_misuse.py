"""Whatever is misused: an exit code, one sentence, one remedy, no traceback, and nothing half written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tinytown.host.init import init
from tinytown.town import Town

Typed = Callable[..., tuple[int, str, str]]
TT = Path(sys.executable).with_name("tt")

#: The one form of an error. A sentence has no full stop, and begins with no capital, unless with a name in capitals.
FORM = re.compile(r"error: (?![A-Z][a-z]+ )(?P<sentence>[^\n]*[^\n.?!])\n  (?P<remedy>[^\n]*[^\n.])\n")


def traces(root: Path) -> dict[str, tuple[int, int]]:
    """Every file, with its time and size."""
    return {str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


def told(said: tuple[int, str, str], code: int, sentence: str, remedy: str) -> None:
    """The error must have this exit code and the one form, and say this."""
    assert (said[0], said[1]) == (code, ""), said
    match = FORM.fullmatch(said[2])
    assert match is not None, said[2]
    assert sentence in match["sentence"]
    assert remedy in match["remedy"]


@pytest.mark.parametrize(
    ("words", "sentence", "remedy"),
    [
        ("spwan", "no such command 'spwan', did you mean 'spawn'", "`tt --help`"),
        ("mission strat", "no such command 'strat', did you mean 'start'", "`tt mission --help`"),
        ("init --nmae x", "no such option '--nmae', did you mean '--name'", "`tt init --help`"),
        ("init --name", "'--name' requires an argument", "`tt init --help`"),
        ("mission start --max-parallel", "'--max-parallel' requires an argument", "`tt mission start --help`"),
        ("--town", "'--town' requires an argument", "`tt --help`"),
        ("init more", "got unexpected extra argument (more)", "`tt init --help`"),
        ("kill", "missing argument 'NAME'", "`tt kill --help`"),
        ("mission start --max-parallel 0", "invalid value for '--max-parallel'", "`tt mission start --help`"),
        ("mission start --budget-usd nan", "invalid value for '--budget-usd'", "`tt mission start --help`"),
        ("mission status --follow --json", "--follow and --json cannot be used together", "`tt mission status --help`"),
        ("flower --port 70000", "invalid value for '--port'", "`tt flower --help`"),
        ("completion ksh", "'ksh' is not one of", "`tt completion --help`"),
        ("-t none status", "there is no folder none", "`tt --help`"),
        ("status -t none", "there is no folder none", "`tt status --help`"),
    ],
)
def test_wrong_words(typed: Typed, tmp_path: Path, words: str, sentence: str, remedy: str) -> None:
    """What click refuses is said as all else is."""
    said = typed(*shlex.split(words), cwd=tmp_path)
    told(said, 2, sentence, remedy)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "code", "sentence", "remedy"),
    [
        ("REDIS_URL", "http://foo", 2, "REDIS_URL: `redis.url`: must begin with `redis://`", "correct or unset it"),
        ("REDIS_URL", "foo", 2, "REDIS_URL: `redis.url`: must begin with", "correct or unset it"),
        ("REDIS_URL", "redis://h:port/0", 2, "REDIS_URL: `redis.url`: is not a server address", "correct or unset it"),
        ("REDIS_URL", "redis://h:1/abc", 2, "REDIS_URL: `redis.url`: must end in", "correct or unset it"),
        ("REDIS_URL", "unix://", 2, "REDIS_URL: `redis.url`: names no socket", "correct or unset it"),
        (
            "REDIS_URL",
            f"redis://{'a' * 70}/0",
            2,
            "REDIS_URL: `redis.url`: is not a server address",
            "correct or unset it",
        ),
        ("REDIS_URL", "redis://:secret@127.0.0.1:1/0", 5, "does not answer", "REDIS_URL"),
        ("REDIS_URL", "unix:///no/such.sock", 5, "does not answer", "REDIS_URL"),
        ("TINYTOWN_REDIS__URL", "http://foo", 2, "TINYTOWN_REDIS__URL: `redis.url`", "correct or unset it"),
        ("TINYTOWN_POLICY__MAX_ATTEMPTS", "x", 2, "TINYTOWN_POLICY__MAX_ATTEMPTS: `policy.max_attempts`", "unset"),
        ("TINYTOWN_POLICY__MAX_ATEMPTS", "3", 2, "TINYTOWN_POLICY__MAX_ATEMPTS: unknown key", "correct or unset it"),
        ("TINYTOWN_TIMING__LEASE_SECS", "1", 2, "TINYTOWN_TIMING__LEASE_SECS: ", "correct or unset it"),
        ("TINYTOWN_CONFIG__MAX_AGENTS", "no", 2, "TINYTOWN_CONFIG__MAX_AGENTS: `max_agents`", "correct or unset it"),
    ],
)
@pytest.mark.parametrize("words", [("mission", "status"), ("start",)])
def test_a_wrong_environment_is_blamed_and_not_the_file(
    typed: Typed, town: Town, words: tuple[str, ...], name: str, value: str, code: int, sentence: str, remedy: str
) -> None:
    """By the name of the variable; a password is never shown."""
    before = traces(town.folder)
    said = typed(*words, cwd=town.root, env={name: value})
    told(said, code, sentence, remedy)
    assert "tinytown.toml:" not in said[2]
    assert "secret" not in said[2]
    assert {path for path in traces(town.folder) if ".log" in path} == {path for path in before if ".log" in path}


def test_two_variables_that_exclude_each_other(typed: Typed, town: Town) -> None:
    """One sets a table, the other a part of it."""
    env = {"TINYTOWN_POLICY__MAX_ATTEMPTS": "1", "TINYTOWN_POLICY__MAX_ATTEMPTS__X": "2"}
    told(typed("status", cwd=town.root, env=env), 2, "TINYTOWN_POLICY__MAX_ATTEMPTS__X sets part of", "unset one")


def test_each_file_is_blamed_for_its_own(typed: Typed, town: Town) -> None:
    """The user's, where the town's says nothing."""
    user = Path(os.environ["HOME"]) / ".tt" / "config.toml"
    user.parent.mkdir(exist_ok=True)
    user.write_text('max_agents = "many"\n')
    try:
        told(typed("status", cwd=town.root), 2, f"{user}: `max_agents`", "correct or remove it")
    finally:
        user.unlink()
    file = town.root / "tinytown.toml"
    file.write_text("max_agents = 0\n")
    told(typed("status", cwd=town.root), 2, f"{file}: `max_agents`", "correct or remove it")


def test_a_stopped_town_names_the_command_that_starts_it(typed: Typed, town: Town) -> None:
    """For everything that acts on what runs."""
    for words in ("mission note x hello", "mission retry x", "mission stop", "kill ann", "send conductor hello"):
        told(typed(*words.split(), cwd=town.root), 5, "is not running", "`tt start`")
    told(typed("review", "approve", cwd=town.root), 4, "from inside a review", "tt mission note")


def test_the_working_folder_is_gone(tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing unforeseen: it happens with every `git switch` and `rm -r` in another terminal."""
    with monkeypatch.context() as patch:
        gone = tmp_path / "gone"
        gone.mkdir()
        patch.chdir(gone)
        gone.rmdir()
        for words in ("init", "start", "mission start -i 1", "doctor"):
            told(typed(*words.split()), 4, "the current folder no longer exists", "`cd`")
    # Python itself begins there, too.
    for words in ("status",):
        script = f"mkdir gone && cd gone && rmdir ../gone && exec {shlex.quote(str(TT))} {words}"
        done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        told((done.returncode, done.stdout, done.stderr), 4, "the current folder no longer exists", "`cd`")
    script = f"mkdir gone && cd gone && rmdir ../gone && exec {shlex.quote(str(TT))} --help"
    assert subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_somebody_elses_town(machine: Path, typed: Typed) -> None:
    """A file that may not be read is no damaged one: it says whose it is, and never to remove anything."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    folder = Path("/tmp") / f"tt-theirs-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        init(folder)
        identity = folder / ".tt" / "town.json"
        for place, mode in ((identity, 0o600), (identity.parent, 0o700)):
            place.chmod(mode)
            code = (
                "import os, sys; os.setgid(65534); os.setuid(65534)\n"
                "from tinytown.errors import TinytownError\n"
                "from tinytown.town import open_town\n"
                "from pathlib import Path\n"
                "try: open_town(Path(sys.argv[1]))\n"
                "except TinytownError as error: print(error.message, '|', error.remedy, '|', error.exit_code)\n"
            )
            # Imported first: the interpreter's folder may be closed to that user.
            warm = "import tinytown.town, tinytown.files, pwd, tinytown.errors\n"
            done = subprocess.run(
                [sys.executable, "-c", warm + code, str(folder)], capture_output=True, text=True, check=False
            )
            sentence, remedy, exit_code = done.stdout.strip().split(" | ")
            assert sentence.startswith(
                f"{identity} cannot be read: Permission denied (it belongs to root, and you are "
            )
            assert remedy.startswith("run it as root")
            assert exit_code == "4"
    finally:
        shutil.rmtree(folder)
