"""What may name an issue on GitHub, where a site's API is, and where its token comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytown.errors import ConfigurationError
from tinytown.forge.github import site as github_site
from tinytown.forge.github.site import GITHUB, find_token, issue_key, repository, site

ENTERPRISE = site("https://ghe.example.com/api/v3")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("23", "octo/site#23"),
        ("#23", "octo/site#23"),
        (" 23 ", "octo/site#23"),
        ("other/repo#5", "other/repo#5"),
        ("Other/Re.po_-x#5", "Other/Re.po_-x#5"),
        ("https://github.com/other/repo/issues/5", "other/repo#5"),
        ("https://www.github.com/other/repo/issues/5", "other/repo#5"),
        ("HTTPS://GitHub.com/other/repo/issues/5/", "other/repo#5"),
        ("https://github.com/other/repo/issues/5#issuecomment-12345", "other/repo#5"),
    ],
)
def test_references_that_people_write(text: str, key: str) -> None:
    assert issue_key(text, site=GITHUB, repo="octo/site") == key


HOSTILE = [
    "http://github.com/o/r/issues/1",
    "https://github.com.evil.example/o/r/issues/1",
    "https://evil.example/o/r/issues/1",
    "https://github.com@evil.example/o/r/issues/1",
    "https://user:pw@github.com/o/r/issues/1",
    "https://evil.example/github.com/o/r/issues/1",
    "https://github.com:8443/o/r/issues/1",
    "https://github.com\\@evil.example/o/r/issues/1",
    "https://github.com/o/r/issues/1/../../../../user",
    "https://github.com/../o/issues/1",
    "https://github.com/o/../issues/1",
    "https://github.com/o/./issues/1",
    "https://github.com/o/%2e%2e/issues/1",
    "https://github.com/o%2fr/x/issues/1",
    "https://github.com/o/-r/issues/1",
    "https://github.com/-o/r/issues/1",
    "https://github.com//o/r/issues/1",
    "https://github.com/o/r/issues/1?x=@evil.example",
    "https://github.com/o/r/issues/1#/../../x",
    "https://github.com/o/r/issues/1\r\nHost: evil.example",
    "https://github.com/o/r\t/issues/1",
    "https://github.com/o/r/issues/0",
    "https://github.com/o/r/issues/01",
    "https://github.com/o/r/issues/\u0661",
    "https://github.com/o/r/issues/1x",
    "https://github.com/o/r/issues/9999999999",
    "https://g\u0456thub.com/o/r/issues/1",
    "https://github.com\u3002evil.example/o/r/issues/1",
    "https://127.0.0.1/o/r/issues/1",
    "https://[::1]/o/r/issues/1",
    "https://169.254.169.254/latest/meta-data/issues/1",
    "//github.com/o/r/issues/1",
    "file:///o/r/issues/1",
    "gopher://github.com/o/r/issues/1",
    "javascript://github.com/o/r/issues/1",
    "https://github.com/local/r/issues/1",
    "https://api.github.com/repos/o/r/issues/1",
    "o/r/issues/1",
    "local/r#1",
    "o/r:doc/x.md",
    "plan:task/x",
    "--upload-pack=x#1",
    "o/..#1",
    "o/-r#1",
    "",
    "#",
    "0",
    "-1",
    "1 2",
    "1\n2",
    "\u0661",
    "a/b/c#1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_reference_of_the_site_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an issue at github"):
        issue_key(text, site=GITHUB, repo="octo/site")


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda tail: f"https://github.com/{tail}"))
def test_any_text_gives_a_key_of_plain_parts_or_a_refusal(text: str) -> None:
    try:
        key = issue_key(text, site=GITHUB, repo="octo/site")
    except ConfigurationError:
        return
    owner, _, rest = key.partition("/")
    repo, _, number = rest.partition("#")
    assert owner.replace("-", "").isascii()
    assert owner.replace("-", "").isalnum()
    assert repo not in (".", "..")
    assert not repo.startswith("-")
    assert number.isascii()
    assert number.isdecimal()
    assert int(number) > 0


def test_a_pull_request_is_named_as_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        issue_key("https://github.com/o/r/pull/5", site=GITHUB, repo="octo/site")
    assert str(caught.value) == "o/r#5 is a pull request, not an issue; name the issue it is about"


def test_an_enterprise_server_has_pages_of_its_own() -> None:
    assert ENTERPRISE.web == "https://ghe.example.com"
    page = "https://ghe.example.com/octo/site/issues/5"
    assert issue_key(page, site=ENTERPRISE, repo="a/b") == "octo/site#5"
    for text, where in [(page, GITHUB), ("https://github.com/octo/site/issues/5", ENTERPRISE)]:
        with pytest.raises(ConfigurationError):
            issue_key(text, site=where, repo="a/b")


@pytest.mark.parametrize(
    ("base_url", "api", "web"),
    [
        (None, "https://api.github.com", "https://github.com"),
        ("https://api.github.com", "https://api.github.com", "https://github.com"),
        ("https://github.com", "https://api.github.com", "https://github.com"),
        ("https://GHE.example.com/api/v3/", "https://ghe.example.com/api/v3", "https://ghe.example.com"),
        ("https://api.octo.ghe.com", "https://api.octo.ghe.com", "https://octo.ghe.com"),
        ("http://127.0.0.1:8080/api/v3", "http://127.0.0.1:8080/api/v3", "http://127.0.0.1:8080"),
        ("http://localhost:80/api/v3", "http://localhost:80/api/v3", "http://localhost:80"),
        ("http://[::1]:8080/api/v3", "http://[::1]:8080/api/v3", "http://[::1]:8080"),
    ],
)
def test_a_base_url_leads_to_a_site(base_url: str | None, api: str, web: str) -> None:
    found = site(base_url)
    assert (found.api, found.web) == (api, web)
    assert found.enterprise is (api != "https://api.github.com")


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://ghe.example.com/api/v3", "is not encrypted"),
        ("http://127.0.0.1.evil.example/api/v3", "is not encrypted"),
        ("https://user:secret@ghe.example.com", "contains a user or a password"),
        ("ftp://ghe.example.com", "is not an https address"),
        ("ghe.example.com", "is not an https address"),
        ("https://", "is not an https address"),
        ("https://[::1", "is not an address"),
        ("https://ghe.example.com:x/", "is not an address"),
        ("https://ghe.example.com/?q", "is not an https address"),
        ("https://ghe .example.com/", "is not an https address"),
    ],
)
def test_a_base_url_that_is_unsafe_or_none_is_refused(base_url: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        site(base_url)
    assert words in caught.value.message
    assert caught.value.remedy
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "site", "local/site", "a/b/c", "a/-b", "a/b#1", "https://github.com/a/b"])
def test_a_repository_is_owner_and_name(text: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"forge\.repo"):
        repository(text)
    assert repository("Octo/site.github.io") == "Octo/site.github.io"


# -- tokens --------------------------------------------------------------------------------------


@pytest.fixture
def no_gh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize(
    ("base_url", "environ", "source"),
    [
        (None, {}, None),
        (None, {"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, "GH_TOKEN"),
        (None, {"GH_TOKEN": "", "GITHUB_TOKEN": "b"}, "GITHUB_TOKEN"),
        (None, {"GH_ENTERPRISE_TOKEN": "e"}, None),
        ("https://ghe.example.com", {"GH_TOKEN": "a", "GH_ENTERPRISE_TOKEN": "e"}, "GH_ENTERPRISE_TOKEN"),
        ("https://ghe.example.com", {"GITHUB_ENTERPRISE_TOKEN": "e"}, "GITHUB_ENTERPRISE_TOKEN"),
        # What opens github.com is shown to nobody else ...
        ("https://ghe.example.com", {"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, None),
        ("https://ghe.example.com", {"GITHUB_TOKEN": "b", "GITHUB_SERVER_URL": "https://github.com"}, None),
        # ... unless it is that server's own.
        (
            "https://ghe.example.com",
            {"GITHUB_TOKEN": "b", "GITHUB_SERVER_URL": "https://ghe.example.com"},
            "GITHUB_TOKEN",
        ),
        ("https://ghe.example.com", {"GH_TOKEN": "a", "GH_HOST": "ghe.example.com"}, "GH_TOKEN"),
        ("http://127.0.0.1:9/api/v3", {"GITHUB_TOKEN": "b"}, "GITHUB_TOKEN"),
        ("http://[::1]:9/api/v3", {"GITHUB_TOKEN": "b"}, "GITHUB_TOKEN"),
    ],
)
def test_each_site_has_its_own_variables(
    no_gh: None, tmp_path: Path, base_url: str | None, environ: dict[str, str], source: str | None
) -> None:
    found = find_token(site(base_url), environ=environ)
    assert (found.source if found else None) == source
    assert found is None or found.value == environ[found.source]


def test_a_token_is_never_shown(no_gh: None, tmp_path: Path) -> None:
    found = find_token(GITHUB, environ={"GH_TOKEN": "hunter2"})
    assert "hunter2" not in repr(found)
    with pytest.raises(ConfigurationError) as caught:
        find_token(GITHUB, environ={"GH_TOKEN": "hunter2\nX-Evil: 1"})
    assert str(caught.value) == "GH_TOKEN does not hold a token; set GH_TOKEN again, or `unset GH_TOKEN`"


def test_a_file_goes_before_everything_else(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    found = find_token(ENTERPRISE, environ={"GH_ENTERPRISE_TOKEN": "other"}, file=str(path))
    assert found is not None
    assert (found.value, found.source) == ("hunter2", str(path))


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("hunter2\n", 0o644, "may be read by others; run `chmod 600 "),
        ("hunter2\nhunter3\n", 0o600, "does not hold a token"),
        ("", 0o600, "does not hold a token"),
        ("h" * 2000, 0o600, "does not hold a token"),
        ("h\u00fc", 0o600, "cannot be read (it holds no text)"),
        (None, 0o600, "cannot be read (no such file or directory)"),
    ],
)
def test_a_file_that_gives_no_token_is_an_error(tmp_path: Path, text: str | None, mode: int, words: str) -> None:
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        find_token(GITHUB, environ={"GH_TOKEN": "other"}, file=str(path))
    assert words in str(caught.value)
    assert "hunter" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="no whole path"):
        find_token(GITHUB, environ={}, file="token")


def fake_gh(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_gh_program_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "not for gh")
    said = tmp_path / "said"
    fake_gh(tmp_path, monkeypatch, f'echo "$*" >{said}; echo "[$GITHUB_TOKEN]" >>{said}; echo gho_fromgh')
    found = find_token(ENTERPRISE, environ={})
    assert found is not None
    assert (found.value, found.source) == ("gho_fromgh", "`gh auth token`")
    assert said.read_text() == "auth token --hostname ghe.example.com\n[]\n"
    chosen = find_token(GITHUB, environ={"GH_TOKEN": "a"})
    assert chosen is not None
    assert chosen.source == "GH_TOKEN"


@pytest.mark.parametrize("script", ["exit 1", "echo", "echo not logged in; exit 0", "exec sleep 60"])
def test_a_gh_program_that_knows_nothing_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(github_site, "GH_TIMEOUT", 0.3)
    fake_gh(tmp_path, monkeypatch, script)
    assert find_token(GITHUB, environ={}) is None
