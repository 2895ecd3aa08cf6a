"""What of the machine's files is seen in the sandbox: by where they really are. Real bubblewrap, real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tinytown.agents.driver import Invocation
from tinytown.agents.excerpts import JsonPart, json_fields
from tinytown.agents.shown import Shown
from tinytown_workers import sandbox
from tinytown_workers.run import environment
from tinytown_workers.sandbox import Command, Files, files_of, program_files, real_paths
from tinytown_workers.sandbox.view import Wanted, view

pytestmark = pytest.mark.skipif(
    sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
)

#: Stands for every secret.
CANARY = "canary-7c41d9"
#: One that every user can start.
PYTHON = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
#: Says in which files below these folders the canary can be read.
SEEK = f"""
import json, os, sys
found = []
for root in sys.argv[1:]:
    for folder, _, files in os.walk(root):
        for file in files:
            path = os.path.join(folder, file)
            try:
                if {CANARY[:6]!r} + {CANARY[6:]!r} in open(path, errors='replace').read():
                    found.append(path)
            except OSError:
                pass
print(json.dumps(sorted(found)))
"""


@dataclass
class Machine:
    """A user's home with secrets, a town, two repositories, and a clone to work in; any user may come there."""

    root: Path
    #: What ``HOME`` says.
    home: str = "home"
    hidden: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("scratch/home", "scratch/tmp", "scratch/bin", "clone", "home"):
            (self.root / name).mkdir(parents=True)

    def write(self, name: str, text: str = CANARY, *, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def program(self, name: str, text: str = "") -> Path:
        """A script that seeks below the root, after ``text``."""
        words = f"#!{PYTHON}\n{text}\nimport sys\nsys.argv.append({str(self.root)!r})\n{SEEK}"
        return self.write(name, words, mode=0o755)

    def env(self, path: str = "") -> dict[str, str]:
        real_paths = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
        return environment.for_agent(
            {"PATH": real_paths, "HOME": str(self.root / self.home)},
            programs=environment.programs_folder(self.root / "scratch/bin"),
            tmp=Path("/tmp"), cli_env={}, driver_env={}, marks={},
        )  # fmt: skip

    def wrapped(self, *argv: str, path: str = "", **more: Any) -> Command:
        return sandbox.detect("bwrap").wrap(
            argv, env=self.env(path), clone=self.root / "clone", home=self.root / "scratch/home",
            tmp=self.root / "scratch/tmp", hidden=self.hidden, logins=self.root / "scratch/logins", **more,
        )  # fmt: skip

    def run(self, *argv: str, path: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
        return self.wrapped(*argv, path=path, **more).run(self.env(path), timeout=60)

    def wanted(self, files: Files | None = None) -> Wanted:
        return Wanted(
            program=PYTHON, env={"PATH": os.environ["PATH"], "HOME": str(self.root / self.home)},
            clone=self.root / "clone", home=self.root / "scratch/home", tmp=self.root / "scratch/tmp",
            files=files or Files(), hidden=self.hidden,
        )  # fmt: skip

    def found(self, *argv: str, **more: Any) -> list[str]:
        """Where the program, or one that does nothing else, finds the canary, by names below the root."""
        done = self.run(*(argv or (PYTHON, "-c", SEEK, str(self.root))), **more)
        assert done.returncode == 0, done.stderr
        seen: list[str] = json.loads(done.stdout.splitlines()[-1])
        return [str(Path(path).relative_to(self.root)) for path in seen]


@pytest.fixture
def machine() -> Iterator[Machine]:
    root = Path(tempfile.mkdtemp(prefix="tt-view-")).resolve()
    root.chmod(0o755)
    yield Machine(root)
    shutil.rmtree(root)


# -- by where it really is -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["a link", "a link above", "a link in a link"])
def test_a_home_that_is_a_link_is_hidden_with_all_that_is_in_it(machine: Machine, how: str) -> None:
    real = machine.root / "data/users/me"
    for name in (".ssh/id", ".local/state/town/db", "project/.env", ".netrc"):
        machine.write(f"data/users/me/{name}")
    (machine.root / "home").rmdir()
    if how == "a link above":
        (machine.root / "home").symlink_to("data/users")
        machine.home = "home/me"
    else:
        (machine.root / "between").symlink_to(real)
        (machine.root / "home").symlink_to("between" if how == "a link in a link" else real)
    machine.hidden = [machine.root / machine.home / ".local/state/town", machine.root / machine.home / "project"]
    asked = [real, real.parent, real / "project", machine.root / "data", machine.root / machine.home]
    assert machine.found(readable=asked) == []
    # Of a tool in it only the tool is there.
    tool = machine.program("data/users/me/tools/agent")
    machine.write("data/users/me/tools/.env")
    assert machine.found(str(machine.root / machine.home / "tools/agent")) == machine.found(str(tool)) == []


def test_nothing_of_a_configured_repository_is_shown_by_whatever_name(machine: Machine) -> None:
    for name in ("repo/.env", "repo/.git/config", "repo/src/notes", "repo/tests/key"):
        machine.write(name)
    (machine.root / "other").symlink_to("repo")
    (machine.root / "home/link").symlink_to(machine.root / "repo/.env")
    machine.hidden = [machine.root / "repo"]
    names = ("repo", "repo/src", "repo/.env", "other", "other/.git", "home/link", ".")
    asked = [machine.root / name for name in names]
    assert machine.found(readable=asked, writable=asked) == []


def test_a_program_in_a_configured_repository_is_shown_alone(machine: Machine) -> None:
    agent = machine.program("repo/tools/agent.py")
    for name in ("repo/tools/.env", "repo/tools/helper.py", "repo/lib/notes", "repo/.git/config"):
        machine.write(name)
    machine.hidden = [machine.root / "repo"]
    assert machine.found(str(agent)) == []
    assert machine.found(PYTHON, str(agent), files=Files(scripts=[agent])) == []


def test_a_virtual_environment_in_a_repository_shows_its_packages_alone(machine: Machine) -> None:
    folder = machine.root / "repo/.venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True)
    for name in ("repo/.venv/.env", "repo/.venv/bin/notes.json", "repo/.venv/keys/a", "repo/.env", "repo/.git/config"):
        machine.write(name)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "helper.py").write_text("word = 'helped'\n")
    agent = machine.program("repo/.venv/bin/agent", "import helper; assert helper.word == 'helped'")
    agent.write_text(agent.read_text().replace(f"#!{PYTHON}", f"#!{folder}/bin/python"))
    machine.hidden = [machine.root / "repo"]
    assert machine.found(str(agent)) == []


def test_packages_in_a_repository_are_found_without_the_repository(machine: Machine) -> None:
    """As with a CLI that a project brings as a dependency."""
    machine.program("repo/node_modules/cli/main.py", "open(__file__.replace('cli/main.py', 'near/word')).read()")
    for name in ("repo/.env", "repo/node_modules/.env", "repo/src/key"):
        machine.write(name)
    machine.write("repo/node_modules/near/word", "x")
    launcher = machine.root / "repo/node_modules/.bin/cli"
    launcher.parent.mkdir()
    launcher.symlink_to("../cli/main.py")
    machine.hidden = [machine.root / "repo"]
    assert machine.found("cli", path=str(launcher.parent)) == []


def test_a_link_that_an_agent_left_shows_nothing_the_next_time(machine: Machine) -> None:
    machine.write("home/.ssh/id")
    (machine.root / "home/.agent/conf").mkdir(parents=True)
    for name in ("settings", "conf/more"):
        (machine.root / "home/.agent" / name).symlink_to(machine.root / "home/.ssh/id")
    (machine.root / "home/.agent/keys").symlink_to(machine.root / "home/.ssh")
    writable = [machine.root / "home/.agent"]
    asked = [*(writable[0] / name for name in ("settings", "conf/more", "keys")), machine.root / "home/.agent/keys/id"]
    assert machine.found(readable=asked, writable=[*writable, *asked]) == []


def test_a_link_in_a_folder_that_is_shown_leads_nowhere(machine: Machine) -> None:
    machine.write("home/.ssh/id")
    machine.write("home/.cli/rules", "be kind")
    (machine.root / "home/.cli/keys").symlink_to(machine.root / "home/.ssh")
    own = machine.root / "home/.cli"
    assert machine.run("cat", f"{own}/rules", f"{own}/keys/id", readable=[own]).stdout == "be kind"
    # What is named behind a link is shown where it really is.
    machine.write("away/words", "far")
    (own / "away").symlink_to(machine.root / "away")
    assert machine.run("cat", f"{own}/away/words", readable=[own, own / "away/words"]).stdout == "far"


# -- parts of files --------------------------------------------------------------------------------


def test_of_a_file_with_more_only_an_excerpt_is_there_and_nothing_comes_back(machine: Machine) -> None:
    file = machine.write("home/.cli.json", json.dumps({"login": "mine", "servers": CANARY}))
    odd = machine.write("home/.cli/odd.json", "{" + CANARY)
    machine.write("home/.cli/rules/.env")
    machine.write("home/.cli/rules/kind", "be kind")
    excerpts = dict.fromkeys((file, odd, machine.root / "home/.cli/missing.json"), json_fields("login"))
    rules = machine.root / "home/.cli/rules"
    files = Files(excerpts=excerpts, readable=[rules], tidied=[rules])
    assert machine.found(files=files) == []
    script = f"cat {file} {rules}/kind; echo more > {file} && cat {file}; ls {odd}"
    done = machine.run("sh", "-c", script, files=files)
    assert done.stdout.replace("\n", "").replace(" ", "") == '{"login":"mine"}bekindmore'
    assert CANARY in file.read_text()
    assert list(view(machine.wanted(files)).left_out) == [odd]
    # The user may show all of it, and its driver's excerpt then is none.
    invocation = Invocation(["x"], excerpts=excerpts, readable=[rules])
    named = files_of(invocation, Shown(readable=[file, rules]))
    assert machine.found(files=named) == ["home/.cli.json", "home/.cli/rules/.env"]


def test_of_a_log_in_file_only_its_own_part_is_there_and_a_renewed_one_comes_home(machine: Machine) -> None:
    """Whoever the user is; what else it holds is neither seen nor touched."""
    whole = {"login": {"token": "old"}, "servers": {"x": CANARY}}
    file = machine.write("home/.cli/login.json", json.dumps(whole), mode=0o600)
    odd = machine.write("home/.cli/odd.json", CANARY)
    files = Files(parts=dict.fromkeys((file, odd, machine.root / "home/.cli/missing.json"), JsonPart("login")))
    assert machine.found(files=files) == []
    assert json.loads(machine.run("cat", str(file), files=files).stdout) == {"login": {"token": "old"}}
    assert json.loads(file.read_text()) == whole

    def write(text: str) -> None:
        assert machine.run("sh", "-c", f"echo '{text}' > {file}; ls {odd}", files=files).returncode != 0

    write('{"login": {"token": "new"}, "servers": {}, "hooks": {}}')
    renewed = {**whole, "login": {"token": "new"}}
    assert json.loads(file.read_text()) == renewed
    assert file.stat().st_mode & 0o777 == 0o600
    for nonsense in ("{", "[]", "{}", '{"login": null}', ""):
        write(nonsense)
        assert json.loads(file.read_text()) == renewed
        # Nor does it log out the next run.
        assert json.loads(machine.run("cat", str(file), files=files).stdout) == {"login": {"token": "new"}}
    # Half of it is taken over, and is whole again for the next.
    file.write_text(json.dumps({**renewed, "of": "me"}))
    files = replace(files, parts={file: JsonPart("login of")})
    write('{"of": "", "login": {"token": "new"}}')
    assert json.loads(file.read_text()) == {**renewed, "of": "me"}
    assert json.loads(machine.run("cat", str(file), files=files).stdout) == {"login": {"token": "new"}, "of": "me"}
    file.write_text(json.dumps(renewed))
    # It is of use outside while the run goes on.
    with machine.wrapped("true", files=files) as command:
        shown = Path(command.argv[command.argv.index(str(file)) - 1])
        for text, found in (("half", "new"), ('{"login": {"token": "newer"}}', "newer")):
            shown.write_text(text)
            command.tend()
            assert json.loads(file.read_text())["login"] == {"token": found}
    # One that the person has changed meanwhile stays.
    script = f'import sys, time; open({str(file)!r}, \'w\').write(\'{{"login": {{"token": "theirs"}}}}\')'
    newest = {**whole, "login": {"token": "newest"}}
    with machine.wrapped(PYTHON, "-c", script, files=files) as command:
        file.write_text(json.dumps(newest))
        assert command.run(machine.env(), timeout=60).returncode == 0
    assert json.loads(file.read_text()) == newest
    assert json.loads(machine.run("cat", str(file), files=files).stdout) == {"login": {"token": "newest"}}
    # All of it is there where the user says so.
    named = files_of(Invocation(["x"], parts=files.parts), Shown(writable=[file]))
    assert machine.found(files=named) == ["home/.cli/login.json"]


def test_what_a_driver_makes_is_there_only_where_the_user_has_none(machine: Machine) -> None:
    mine = machine.write("home/.cli/mine.json", "mine")
    absent = machine.root / "home/.cli/made.json"
    files = Files(readable=[mine], made={mine: "made", absent: "made"})
    assert machine.run("cat", str(mine), str(absent), files=files).stdout == "minemade"
    assert not absent.exists()


# -- a program and what it needs ---------------------------------------------------------------------


def test_of_a_folder_with_a_script_only_its_code_is_shown(machine: Machine) -> None:
    words = "import helper; from pack import inner; assert helper.a + inner.b == 3"
    agent = machine.program("home/tools/agent.py", words)
    machine.write("home/tools/helper.py", "a = 1\n")
    machine.write("home/tools/pack/__init__.py", "")
    machine.write("home/tools/pack/inner.py", "b = 2\n")
    secret = (
        ".env", ".env.local", ".git/config", "key.pem", "config.json", "secrets.yaml", "token", "notes.txt", ".npmrc",
        "pack/.env", "pack/settings.toml", "data/dump.sql", "id_ed25519", "service-account.json", "prod.env",
        "x.sqlite",
    )  # fmt: skip
    for name in secret:
        machine.write(f"home/tools/{name}")
    assert machine.found(str(agent)) == []
    assert machine.found(PYTHON, str(agent), files=Files(scripts=[agent])) == []
    # Who wants more says so.
    assert machine.found(str(agent), readable=[machine.root / "home/tools/config.json"]) == ["home/tools/config.json"]


def test_a_program_that_is_a_link_finds_what_is_beside_it_where_it_really_is(machine: Machine) -> None:
    """As a package manager does that links it into a folder of programs."""
    helper = machine.program("home/.local/share/tool/venv/bin/helper")
    (machine.root / "home/.local/share/tool/venv/pyvenv.cfg").touch()
    agent = machine.program(
        "home/.local/share/tool/venv/bin/agent",
        f"import pathlib, sys; assert str(pathlib.Path(sys.argv[0]).resolve().with_name('helper')) == {str(helper)!r}",
    )
    launchers = machine.root / "home/.local/bin"
    launchers.mkdir(parents=True)
    (launchers / "agent").symlink_to("../share/tool/venv/bin/agent")
    machine.write("home/.local/bin/notes")
    assert machine.found("agent", path=str(launchers)) == []
    assert machine.found(str(agent)) == []


def test_a_program_on_the_path_shows_no_other(machine: Machine) -> None:
    (machine.root / "home/lib").mkdir()
    for folder in ("home/bin", "home/.local/bin", "home/programs"):
        agent = machine.program(f"{folder}/agent")
        machine.write(f"{folder}/deploy", f"#!/bin/sh\n# {CANARY}\n", mode=0o755)
        machine.write(f"{folder}/notes")
        assert machine.found("agent", path=str(agent.parent)) == []


def test_of_an_installation_its_programs_and_libraries_are_shown(machine: Machine) -> None:
    machine.write("home/node/lib/word", "x")
    script = machine.program("home/node/bin/agent", f"open('{machine.root}/home/node/lib/word').read()")
    machine.write("home/node/bin/also", "#!/bin/sh\necho also\n", mode=0o755)
    for name in (".env", "etc/npmrc", "work/notes", "bin/keys.json", "lib/.env"):
        machine.write(f"home/node/{name}")
    assert machine.found(str(script)) == []
    assert machine.run("also", path=str(script.parent)).stdout == "also\n"


def test_of_a_version_manager_no_settings_are_shown(machine: Machine) -> None:
    machine.program("home/.manager/versions/3/bin/agent")
    for name in ("hooks.json", ".env", "cache/x", "plugins/one/.git/config"):
        machine.write(f"home/.manager/{name}")
    agent = machine.root / "home/.manager/versions/3/bin/agent"
    shim = machine.write("home/.manager/shims/agent", f'#!/bin/sh\nexec {agent} "$@"\n', mode=0o755)
    assert machine.found(str(shim)) == []


# -- the system -------------------------------------------------------------------------------------


def test_no_private_key_of_the_system_is_there(machine: Machine) -> None:
    names = "/etc/ssl/private /etc/pki/tls/private /etc/pki/CA /etc/shadow /etc/ssh /usr/local/etc".split()
    done = machine.run("sh", "-c", "for f; do find $f -mindepth 1 2>/dev/null; done; ls /etc/ssl", "sh", *names)
    assert "private" not in done.stdout
    assert set(done.stdout.split()) <= {"certs", "openssl.cnf", "cert.pem", "ct_log_list.cnf", "ca-bundle.pem"}
    if Path("/etc/ssl/certs/ca-certificates.crt").is_file():
        assert machine.run("head", "-c", "10", "/etc/ssl/certs/ca-certificates.crt").stdout.startswith("-----")


def test_of_applications_only_those_with_programs_are_shown(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinytown_workers.sandbox import system

    monkeypatch.setattr(system, "_APPLICATIONS", machine.root / "opt")
    for name in ("app/.env", "app/conf/key", "tool/config.ini", "tool/data/x", "tool/.env", "node/.env", "node/etc/rc"):
        machine.write(f"opt/{name}")
    machine.program("opt/node/bin/agent")
    machine.write("opt/node/lib/word", "x")
    machine.program("opt/tool/also", f"open('{machine.root}/opt/node/lib/word').read()")
    path = f"{machine.root}/opt/node/bin:{machine.root}/opt/tool"
    assert machine.found("agent", path=path) == machine.found("also", path=path) == []


def test_a_home_or_a_town_within_the_system_is_hidden(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinytown_workers.sandbox import system

    monkeypatch.setattr(system, "SYSTEM", (*system.SYSTEM, str(machine.root / "usr")))
    for name in ("usr/home/me/.netrc", "usr/town/.env", "usr/repo/.env"):
        machine.write(name)
    machine.write("usr/word", "x")
    (machine.root / "usr/link").symlink_to("town")
    (machine.root / "home").rmdir()
    (machine.root / "home").symlink_to("usr/home/me")
    machine.hidden = [machine.root / "usr/link", machine.root / "usr/repo"]
    made = view(machine.wanted())
    hidden = {mount.place for mount in made.mounts if mount.mask and mount.place.is_relative_to(machine.root)}
    assert hidden == {machine.root / name for name in ("usr/home/me", "usr/town", "usr/repo")}
    # Where it stands in the home's place it is not hidden again.
    machine.home = "usr/home/me"
    assert machine.root / "usr/home/me" not in {mount.place for mount in view(machine.wanted()).mounts if mount.mask}


def test_certificates_are_told_from_keys(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "both.pem").write_text("-----BEGIN CERTIFICATE-----\n\n-----BEGIN EC PRIVATE KEY-----\n")
    secret = [name for name in ("ca.pem", "both.pem") if real_paths.looks_secret(tmp_path / name)]
    assert secret == ["both.pem"]
    for name in ("secrets.py", "token.js", "credentials.go", "cacert.pem", "environment.py", "tokenize.so", "key.py"):
        (tmp_path / name).write_text("")
        assert not real_paths.looks_secret(tmp_path / name), name


# -- other ways to the same place ---------------------------------------------------------------------


TABLE = """\
21 1 8:1 / / rw - ext4 /dev/a rw
22 21 8:1 /data/me /home/me rw - ext4 /dev/a rw
23 21 8:1 /data/me/.ssh /srv/keys rw - ext4 /dev/a rw
24 21 8:2 /data/me /mnt/another rw - ext4 /dev/b rw
25 21 8:1 /data /srv/with\\040blank rw - ext4 /dev/a rw
"""


def test_a_place_is_known_by_each_mount_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_paths, "_table", lambda: real_paths.parse(TABLE))
    expected = {Path(name) for name in ("/home/me", "/data/me", "/srv/keys", "/srv/with blank/me")}
    assert real_paths.appearances([Path("/home/me")]) == expected
    assert real_paths.appearances([Path("/data/me")]) == expected
    assert real_paths.appearances([Path("/")]) == set()


def test_what_is_left_out_is_said(machine: Machine) -> None:
    machine.write("repo/file")
    machine.hidden = [machine.root / "repo"]
    asked = [machine.root / "repo/file", machine.root / "home", machine.root / "missing"]
    assert view(machine.wanted(Files(readable=asked))).left_out == {
        asked[0]: "it is in the town, its state, or one of its repositories",
        asked[1]: "it holds your home, or a folder of the town",
    }


def test_a_script_shows_its_interpreters_files_as_well(machine: Machine) -> None:
    agent = machine.program("home/tools/agent.py")
    parts = [part.path for part in program_files.of_script(agent, os.environ["PATH"])]
    assert agent.parent in parts
    assert Path(PYTHON) in parts
