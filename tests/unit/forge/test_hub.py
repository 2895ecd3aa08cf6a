"""A hub's address, what git is given to reach it, and what its refusals mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytown import settings
from tinytown.errors import ConfigurationError, HubAwayError
from tinytown.forge.hub import faults, names
from tinytown.git import transport
from tinytown.git.repository import Git, GitError
from tinytown.processes import ProgramTimeoutError
from tinytown.settings import known

ROOT = Path("/srv/town")


def address(text: str, **environ: str) -> transport.Address:
    return transport.address(text, root=ROOT, environ=environ)


@pytest.mark.parametrize(
    ("text", "url", "protocol"),
    [
        ("/srv/hub.git", "/srv/hub.git", "file"),
        ("../hub.git", "/srv/town/../hub.git", "file"),
        ("file:///srv/hub.git", "file:///srv/hub.git", "file"),
        ("git@git.example.org:team/town.git", "git@git.example.org:team/town.git", "ssh"),
        ("ssh://git@git.example.org:2222/town.git", "ssh://git@git.example.org:2222/town.git", "ssh"),
        ("ssh://git:secret@git.example.org/town.git", "ssh://git@git.example.org/town.git", "ssh"),
        ("git://git.example.org/town.git", "git://git.example.org/town.git", "git"),
        ("https://git.example.org:8443/town.git", "https://git.example.org:8443/town.git", "https"),
        ("https://bot@git.example.org/town.git", "https://bot@git.example.org/town.git", "https"),
        ("https://bot:p%40ss@git.example.org/town.git", "https://git.example.org/town.git", "https"),
        ("http://[::1]:8080/town.git", "http://[::1]:8080/town.git", "http"),
    ],
)
def test_an_address_is_understood(text: str, url: str, protocol: str) -> None:
    found = address(text)
    assert (found.url, found.protocol) == (url, protocol)


@pytest.mark.parametrize(
    "text",
    ["ext::sh -c x", "--upload-pack=x", "ftp://x/y", "ssh://-oProxyCommand=x/y", "https:///town.git", " ", "a\nb"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no address of a git repository"):
        address(text)


def test_a_password_stays_out_of_everything_but_the_environment(tmp_path: Path) -> None:
    found = address("https://bot:p%40ss@git.example.org/town.git")
    assert (found.user, found.token) == ("bot", "p@ss")
    assert "p@ss" not in repr(found)
    git = transport.git(tmp_path, found)
    assert "p@ss" not in " ".join(git._prefix)
    holding = {name for name, value in git._environment.items() if "p@ss" in value}
    assert holding == {"TINYTOWN_GIT_PASSWORD"}


def test_a_token_is_given_to_its_server_alone(tmp_path: Path) -> None:
    """No other helper of the person's is asked, and no redirection is followed."""
    found = address("https://git.example.org:8443/town.git", TINYTOWN_HUB_TOKEN="t0ken")
    said = settings_of(transport.git(tmp_path, found))
    assert said["credential.helper"] == ""
    assert "TINYTOWN_GIT_PASSWORD" in said["credential.https://git.example.org:8443.helper"]
    assert said["http.followRedirects"] == "false"


@pytest.mark.parametrize(("text", "protocol"), [("/srv/hub.git", "file"), ("git@x:y", "ssh"), ("https://x/y", "https")])
def test_git_speaks_one_protocol_and_asks_nobody(text: str, protocol: str, tmp_path: Path) -> None:
    environment = transport.git(tmp_path, address(text))._environment
    assert environment["GIT_ALLOW_PROTOCOL"] == protocol
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert "BatchMode=yes" in environment["GIT_SSH_COMMAND"]
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"


def test_a_persons_way_to_a_server_is_taken_and_nothing_else_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        '[http]\n\tproxy = http://proxy:3128\n[credential "https://x"]\n\thelper = store\n'
        '[alias]\n\tpush = !false\n[core]\n\tsshCommand = ssh -i key\n\tfsmonitor = /x\n[url "y"]\n\tinsteadOf = x\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("GH_TOKEN", "forges")
    git = transport.git(tmp_path, address("git@x:y"))
    said = settings_of(git)
    assert said["http.proxy"] == "http://proxy:3128"
    assert said["credential.https://x.helper"] == "store"
    assert said["core.sshcommand"] == "ssh -i key"
    assert not {"alias.push", "core.fsmonitor", "url.y.insteadof"} & said.keys()
    assert git._environment["SSH_AUTH_SOCK"] == "/run/agent"
    assert not {"GIT_SSH_COMMAND", "GH_TOKEN"} & git._environment.keys()


def settings_of(git: Git) -> dict[str, str]:
    environment = git._environment
    count = int(environment["GIT_CONFIG_COUNT"])
    return {environment[f"GIT_CONFIG_KEY_{n}"]: environment[f"GIT_CONFIG_VALUE_{n}"] for n in range(count)}


# -- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fatal: Authentication failed for 'https://x/y/'", "does not let this machine in"),
        ("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", "does not let"),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", "does not let this machine in"),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", "does not know the key"),
        ("fatal: repository 'https://x/y/' not found", "there is no git repository"),
        ("fatal: '/srv/x' does not appear to be a git repository", "there is no git repository"),
        ("remote: hook says: no\n ! [remote rejected] a -> b (pre-receive hook declined)", "hook says: no"),
        (" ! [remote rejected] a -> b (deny updating a hidden ref)", "deny updating a hidden ref"),
        ("error: Cannot access URL https://x/, return code 22\nfatal: git-http-push failed", "takes no pushes"),
        ("fatal: attempt to fetch/clone from a shallow repository", "shallow"),
        ("fatal: mismatched algorithms: client sha1; server sha256", "another format of objects"),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 301", "is elsewhere by now"),
        ("fatal: detected dubious ownership in repository at '/srv/x'", "does not trust the hub"),
    ],
)
def test_what_a_person_must_mend_says_so(words: str, said: str) -> None:
    error = faults.said(GitError("push", 128, words), "https://x/y")
    assert isinstance(error, ConfigurationError)
    assert said in error.message
    assert "https://x/y" in error.message
    assert error.remedy


@pytest.mark.parametrize(
    "words",
    [
        "ssh: connect to host x port 22: Connection refused\nfatal: Could not read from remote repository.",
        "fatal: unable to access 'https://x/': Could not resolve host: x",
        "fatal: unable to access 'https://x/': The requested URL returned error: 502",
        "fatal: the remote end hung up unexpectedly",
        "error: RPC failed; curl 18 transfer closed\nfatal: early EOF",
        "remote: fatal: write error: No space left on device\n ! [remote rejected] a -> b (unpacker error)",
    ],
)
def test_what_comes_back_by_itself_is_away(words: str) -> None:
    error = faults.said(GitError("fetch", 128, words), "x")
    assert isinstance(error, HubAwayError)
    assert error.message.startswith("the hub is away: ")
    assert isinstance(faults.said(ProgramTimeoutError("late"), "x"), HubAwayError)


# -- names and settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repo", "part"), [("local/shop", "shop"), ("Octo/Shop", "octo/shop"), ("local/a..b.lock", "a%2E%2Eb%2Elock")]
)
def test_each_repository_has_refs_of_its_own(repo: str, part: str) -> None:
    assert names.root("0a1b", repo) == f"refs/tinytown/0a1b/{part}/"


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("refs/tinytown/attempts/m/i/1", "work/attempts/m/i/1"),
        ("refs/heads/tt/abc/x", "heads/abc/x"),
        ("refs/heads/main", None),
        ("refs/hub/town", None),
    ],
)
def test_what_travels_has_one_name_in_the_hub(ref: str, name: str | None) -> None:
    assert names.in_hub(ref) == name
    if name is not None:
        assert names.here(name) == ref


@pytest.mark.parametrize(
    "url", ["ext::x", "ftp://x/y", "-x", "https://x/{name}.git", "https://bot:secret@x/y", "ssh://git:secret@x/y"]
)
def test_a_file_names_a_hub_without_a_password(url: str, tmp_path: Path) -> None:
    (tmp_path / "tinytown.toml").write_text(f'[hub]\nurl = "{url}"\n')
    with pytest.raises(ConfigurationError, match=r"hub\.url") as refused:
        settings.load(tmp_path, environ={})
    assert "secret" not in str(refused.value)


def test_the_environment_may_hold_a_password_which_no_list_shows(tmp_path: Path) -> None:
    (tmp_path / "tinytown.toml").write_text("")
    url = "https://bot:secret@x/{repo}.git"
    assert settings.load(tmp_path, environ={"TINYTOWN_HUB__URL": url}).hub.url == url
    assert "secret" not in str(known.without_secrets(("hub", "url"), url))
    assert transport.shown(url) == "https://bot@x/{repo}.git"
    assert known.without_secrets(("hub", "url"), "ssh://git@x/y.git") == "ssh://git@x/y.git"
