"""Reading issues from a GitHub that answers over HTTP, in order and in every kind of disorder."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.fakes.github.descriptions.rest import violations
from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import Answer
from tests.waiting import patience, wait_until
from tinytown import plugins, settings
from tinytown.errors import (
    ConfigurationError,
    ForgeRefusedError,
    NotFoundError,
    RateLimitError,
    StateError,
    TinytownError,
    UnreachableError,
)
from tinytown.forge.github import client, faults
from tinytown.forge.github.issues import GitHubForge
from tinytown.town import Town

KEY = "octo/site#5"
PATH = "/repos/octo/site/issues/5"
TOKEN = "ghp_hunter2hunter2"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A GitHub with one issue."""
    github = GitHub(tmp_path / "github")
    github.person("tinytown")
    github.issue(KEY, title="Add a login", body="Depends on #3", author=None)
    with github.running():
        yield github
        assert violations(github.seen) == []


@pytest.fixture
def forge(github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHubForge:
    """A forge whose token is in the environment."""
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    github.token("tinytown", value=TOKEN)
    return a_forge(github.base_url, tmp_path)


def a_forge(base_url: str, root: Path, *, repo: str | None = "octo/site") -> GitHubForge:
    values = {"forge": {"kind": "github", "repo": repo, "base": "main", "base_url": base_url}}
    return GitHubForge(Town(root=root, id="abc", settings=settings.parse(values, source="test")))


def forbid_gh(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.delenv("GH_TOKEN", raising=False)
    monkeypatch.setenv("PATH", str(folder))


# -- success -------------------------------------------------------------------------------------


def test_an_issue_is_read_with_one_request(forge: GitHubForge, github: GitHub) -> None:
    github.issue(KEY, title="Add a login", body=None, labels=("api", "role:tester"))
    issue = forge.issue(KEY)
    assert (issue.key, issue.number, issue.title, issue.body) == (KEY, 5, "Add a login", "")
    assert issue.labels == ("api", "role:tester")
    assert (issue.state, issue.blocked_by) == ("open", ())
    assert issue.url == f"{github.web}/octo/site/issues/5"
    assert github.paths() == [f"/api/v3{PATH}"]
    assert github.seen[0].authorization == f"token {TOKEN}"


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        ("open", None, "open"),
        ("open", "reopened", "open"),
        ("closed", "completed", "completed"),
        ("closed", None, "completed"),
        ("closed", "not_planned", "not_planned"),
        ("closed", "duplicate", "not_planned"),
    ],
)
def test_a_closed_issue_is_completed_or_not_planned(
    forge: GitHubForge, github: GitHub, state: str, reason: str | None, expected: str
) -> None:
    github.issue(KEY, state=state, reason=reason)
    assert forge.issue_state(KEY) == expected
    assert forge.issue(KEY).state == expected


def test_its_own_blockers_come_with_an_issue_whether_closed_or_elsewhere(forge: GitHubForge, github: GitHub) -> None:
    github.issue("octo/site#3", state="closed", reason="completed")
    github.issue("other/lib#9")
    github.issue(KEY, blocked_by=("octo/site#3", "other/lib#9"))
    assert forge.issue(KEY).blocked_by == ("octo/site#3", "other/lib#9")
    assert github.paths() == [f"/api/v3{PATH}", f"/api/v3{PATH}/dependencies/blocked_by"]


def test_more_blockers_than_a_page_holds(forge: GitHubForge, github: GitHub) -> None:
    for number in (1, 2):
        github.issue(f"octo/site#{number}")
    github.issue(KEY, blocked_by=("octo/site#1", "octo/site#2"))
    both = github.regular(f"{PATH}/dependencies/blocked_by").body
    page = f"{github.base_url}{PATH}/dependencies/blocked_by?page=2"
    github.script(
        f"{PATH}/dependencies/blocked_by",
        Answer(body=both[:1], headers={"Link": f'<{page}>; rel="next"'}),
        Answer(body=both[1:]),
    )
    assert forge.issue(KEY).blocked_by == ("octo/site#1", "octo/site#2")


def test_a_server_that_knows_no_dependencies(forge: GitHubForge, github: GitHub) -> None:
    """It gives no summary and has no such address; one that does must not fail."""
    github.issue(KEY, summary=False)
    github.script(f"{PATH}/dependencies/blocked_by", Answer(404, {"message": "Not Found"}))
    assert forge.issue(KEY).blocked_by == ()
    github.issue(KEY, blocked_by=(KEY,), summary=True)
    with pytest.raises(NotFoundError):
        forge.issue(KEY)


def test_a_pull_request_is_no_issue_but_has_a_state(forge: GitHubForge, github: GitHub) -> None:
    keys = []
    for branch in ("tt/one", "tt/two"):
        github.push_by("ann", branch, {f"{branch[3:]}.txt": "new\n"})
        keys.append(github.open_pull("ann", branch).key)
    with pytest.raises(NotFoundError, match=f"{keys[0]} is a pull request, not an issue"):
        forge.issue(keys[0])
    assert [forge.issue_state(key) for key in keys] == ["open", "open"]
    github.close_pull(github.pull().number - 1)
    github.merge_by("ann")
    assert [forge.issue_state(key) for key in keys] == ["not_planned", "completed"]


def test_a_renamed_repository_gives_its_present_name(forge: GitHubForge, github: GitHub) -> None:
    github.issue(KEY, title="Moved in", blocked_by=(KEY,))
    github.rename("octo/shop")
    issue = forge.issue(KEY)
    assert (issue.key, issue.title, issue.blocked_by) == ("octo/shop#5", "Moved in", ("octo/shop#5",))
    assert forge.issue_key("7") == "octo/shop#7"
    assert forge.base_tip("octo/site", "main") == github.tip("main")
    assert forge.start_warnings() == ["octo/site is now called octo/shop: set `forge.repo` in tinytown.toml"]


def test_a_transferred_issue_has_a_new_key(forge: GitHubForge, github: GitHub) -> None:
    github.transfer(5, "octo/other", 12)
    github.issue("octo/other#12", title="Elsewhere", blocked_by=("octo/other#12",))
    issue = forge.issue(KEY)
    assert (issue.key, issue.number, issue.title) == ("octo/other#12", 12, "Elsewhere")
    assert issue.blocked_by == ("octo/other#12",)
    assert forge.repo == "octo/site"


def test_names_of_repositories_are_the_same_in_any_case(forge: GitHubForge) -> None:
    assert forge.issue("OCTO/Site#5").key == KEY
    assert forge.repo == "octo/site"


def test_keys_of_other_forges_are_unknown(forge: GitHubForge, github: GitHub) -> None:
    with pytest.raises(NotFoundError):
        forge.issue("local/site#5")
    assert forge.issue_state("local/site#5") == "unknown"
    assert not github.seen


def test_the_base_has_a_tip_or_is_gone(forge: GitHubForge, github: GitHub) -> None:
    released = github.push_by("ann", "release/1.0", {"VERSION": "1.0\n"})
    assert forge.base_tip("octo/site", "main") == github.tip("main") != released
    assert forge.base_tip("octo/site", "release/1.0") == released
    with pytest.raises(StateError, match="octo/site has no branch `nowhere`"):
        forge.base_tip("octo/site", "nowhere")
    # A branch that was renamed answers by its new name: it is not the one that was asked for.
    moved = Answer(301, {}, {"Location": f"{github.base_url}/repos/octo/site/branches/main"})
    github.script("/repos/octo/site/branches/old", moved)
    with pytest.raises(StateError, match="octo/site has no branch `old`"):
        forge.base_tip("octo/site", "old")
    with pytest.raises(NotFoundError, match="octo/gone does not exist"):
        forge.base_tip("octo/gone", "main")
    # What is not GitHub's own answer proves nothing: a mission would end of it.
    for foreign in (HTML, Answer(200, {}), Answer(307, {}, {"Location": "/elsewhere"})):
        github.script("/repos/octo/site/branches/main", foreign)
        with pytest.raises(UnreachableError):
            forge.base_tip("octo/site", "main")
        github.faults.clear()
        github.script("/repos/octo/site", foreign)
        with pytest.raises(UnreachableError):
            forge.base_tip("octo/site", "main")
        github.faults.clear()


def test_who_may_not_push_is_told_so_before_a_mission_starts(forge: GitHubForge, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    assert forge.preflight("main") == ()
    github.person("tinytown", "read")
    with pytest.raises(StateError, match="may not push to octo/site") as caught:
        forge.preflight("main")
    assert "write access to contents" in caught.value.remedy


def test_without_a_token_public_issues_can_be_read(
    github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_gh(monkeypatch, tmp_path)
    forge = a_forge(github.base_url, tmp_path)
    assert forge.issue(KEY).title == "Add a login"
    assert github.seen[0].authorization == ""
    assert "no token for 127.0.0.1" in forge.start_warnings()[0]


# -- disorder ------------------------------------------------------------------------------------

HTML = Answer(200, b"<html><title>Sign in</title></html>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("answer", "kind", "says", "requests"),
    [
        (Answer(401, {"message": "Bad credentials"}), ConfigurationError, "refuses the token from GH_TOKEN; set", 1),
        (Answer(401, {"message": "Requires authentication"}), ConfigurationError, "refuses the token", 1),
        (
            Answer(403, {"message": "Resource not accessible by personal access token"}),
            ConfigurationError,
            "forbids reading octo/site#5: Resource not accessible by personal access token; give the token read access",
            1,
        ),
        (
            Answer(403, {"message": "Resource protected by SAML"}, {"X-GitHub-SSO": "required; url=https://evil.example/x"}),
            ConfigurationError,
            "not authorised for the single sign-on of octo/site#5; authorise it at http://127.0.0.1",
            1,
        ),
        (
            Answer(
                403,
                {"message": "API rate limit exceeded for user ID 1."},
                {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"},
            ),
            RateLimitError,
            "rate limit of 127.0.0.1:PORT is used up; try again in 1 s",
            1,
        ),
        (
            Answer(403, {"message": "You have exceeded a secondary rate limit."}, {"Retry-After": "3600"}),
            faults.PauseError,
            "is reached; try again in 60 min",
            1,
        ),
        (Answer(429, {"message": "Too Many Requests"}), faults.PauseError, "is reached; try again in 60 s", 1),
        (Answer(429, b"slow down", {"Retry-After": "90"}), faults.PauseError, "is reached; try again in 90 s", 1),
        (Answer(404, {"message": "Not Found"}), NotFoundError, "octo/site#5 does not exist, or the token may not", 1),
        (Answer(404, b""), NotFoundError, "octo/site#5 does not exist", 1),
        (Answer(410, {"message": "This issue was deleted"}), NotFoundError, "octo/site#5 was deleted", 1),
        (Answer(451, {"message": "Repository unavailable"}), ForgeRefusedError, "with 451: Repository unavailable", 1),
        (Answer(500, {"message": "Server Error"}), UnreachableError, "answers 500 about octo/site#5", 3),
        (Answer(502, b"<html>Unicorn!</html>"), UnreachableError, "answers 502 about octo/site#5; try again", 3),
        (HTML, UnreachableError, "that is not from GitHub's API; correct `forge.base_url`", 1),
        (Answer(200, b""), UnreachableError, "that is not from GitHub's API", 1),
        (Answer(200, []), UnreachableError, "that is not from GitHub's API", 1),
        (Answer(200, {"message": "hello"}), UnreachableError, "that is not from GitHub's API", 1),
        (Answer(200, {"id": 1, "number": "x", "title": 3, "state": "odd"}), UnreachableError, "that is not from", 1),
        (Answer(200, b'{"id": 1, "ti'), UnreachableError, "sent a damaged answer about octo/site#5", 1),
        (Answer(200, b'{"id": 1', {"Content-Length": "100"}), UnreachableError, "cannot be reached: ", None),
        (Answer(307, {}, {"Location": "/elsewhere"}), UnreachableError, "that is not from GitHub's API", 1),
        (Answer(301, {}, {"Location": "https://evil.example/x"}), ConfigurationError, "redirects elsewhere", 1),
        (Answer(301, {}, {"Location": "http://evil.example/x"}), ConfigurationError, "redirects elsewhere", 1),
    ],
)  # fmt: skip
def test_every_refusal_has_its_cause_and_a_remedy(
    forge: GitHubForge, github: GitHub, answer: Answer, kind: type[TinytownError], says: str, requests: int | None
) -> None:
    """Nothing is repeated that a repetition can't mend, nobody is made to sleep, and no token is shown."""
    github.script("*", broken_off if answer.headers.get("Content-Length") else answer)
    begun = time.monotonic()
    with pytest.raises(TinytownError) as caught:
        forge.issue(KEY)
    assert time.monotonic() - begun < patience(5)
    assert type(caught.value) is kind
    assert says.replace("PORT", github.web.rpartition(":")[2]) in str(caught.value)
    assert caught.value.remedy
    assert TOKEN not in str(caught.value)
    assert requests is None or len(github.seen) == requests
    if kind is NotFoundError:
        assert forge.issue_state(KEY) == "unknown"
    else:
        with pytest.raises(kind):
            forge.issue_state(KEY)


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    """An answer that ends in its middle."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    handler.close_connection = True


def test_a_fault_that_passes_is_not_noticed(forge: GitHubForge, github: GitHub) -> None:
    github.script(PATH, Answer(502, b""), Answer(503, b""), github.regular(PATH))
    assert forge.issue(KEY).title == "Add a login"
    assert len(github.seen) == 3


def test_a_new_token_is_noticed_after_a_refusal(
    forge: GitHubForge, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.revoke(TOKEN)
    github.token("tinytown", value="another")
    with pytest.raises(ConfigurationError, match="refuses the token"):
        forge.issue(KEY)
    monkeypatch.setenv("GH_TOKEN", "another")
    assert forge.issue(KEY).key == KEY


def test_a_private_issue_without_a_token_says_how_to_give_one(
    github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_gh(monkeypatch, tmp_path)
    forge = a_forge(github.base_url, tmp_path)
    with pytest.raises(
        NotFoundError, match=r"does not exist, or is private; .* set GH_ENTERPRISE_TOKEN, or run `gh auth"
    ):
        forge.issue("octo/secret#1")


@pytest.mark.parametrize("how", ["silent", "dribbling", "patience", "circle"])
def test_a_call_ends_at_its_deadline_whatever_the_server_does(
    forge: GitHubForge, github: GitHub, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(client, "DEADLINE", 0.6)

    def silent(handler: BaseHTTPRequestHandler) -> None:
        github.ended.wait(30)
        handler.close_connection = True

    def dribbling(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not github.ended.wait(0.05):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return

    circle = Answer(301, {}, {"Location": f"{github.base_url}{PATH}7"})
    scripts = {"silent": silent, "dribbling": dribbling, "patience": Answer(202, {}), "circle": circle}
    if how == "circle":
        github.script(f"{PATH}7", Answer(301, {}, {"Location": f"{github.base_url}{PATH}8"}))
        github.script(f"{PATH}8", circle)
    github.script("*", scripts[how])
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=r"did not answer about octo/site#5 within 0\.6 s"):
        forge.issue(KEY)
    assert time.monotonic() - begun < patience(3)
    # Who doesn't answer isn't asked again at once.
    with pytest.raises(UnreachableError, match="did not answer about"):
        forge.issue_state("octo/site#6")
    assert time.monotonic() - begun < patience(3)
    if how in ("patience", "circle"):
        # And the call that was given up asks no more.
        wait_until(lambda: not [t for t in threading.enumerate() if t.name == "github"], description="it has ended")


def test_a_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    with pytest.raises(UnreachableError) as caught:
        a_forge("http://127.0.0.1:1/api/v3", tmp_path).issue(KEY)
    assert caught.value.message == "127.0.0.1:1 cannot be reached: connection refused"


def test_it_comes_back_after_a_rest(forge: GitHubForge, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "NOT_ASKED_SECS", 0.0)
    github.script("*", broken_off)
    with pytest.raises(UnreachableError):
        forge.issue(KEY)
    github.faults.clear()
    assert forge.issue(KEY).key == KEY


def test_nothing_is_sent_while_a_limit_lasts(forge: GitHubForge, github: GitHub) -> None:
    github.script(PATH, Answer(403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "90"}))
    for _ in range(3):
        with pytest.raises(faults.PauseError) as caught:
            forge.issue(KEY)
        assert 80 < caught.value.wait <= 90
    assert len(github.seen) == 1


def test_a_write_is_sent_once(github: GitHub) -> None:
    """Whatever comes back: that a write got no answer doesn't say that it wasn't done."""
    from github import GithubException

    from tinytown.forge.github.site import Token, site

    connection = client.connect(site(github.base_url), Token("x", "test"))
    # PyGithub leaves a second between writes, so not every pair is tried.
    for method, answer in [
        ("POST", Answer(502, b"")), ("POST", broken_off), ("PATCH", Answer(429, {}, {"Retry-After": "60"})),
        ("PUT", broken_off), ("DELETE", Answer(503, b"")),
    ]:  # fmt: skip
        github.seen.clear()
        github.faults.clear()
        github.script("*", answer)
        with pytest.raises((GithubException, OSError)):
            connection.requester.requestJsonAndCheck(method, "/repos/o/r/issues", input={"title": "x"})
        assert len(github.seen) == 1
    github.seen.clear()  # None of them is a request that makes sense.
    connection.close()


def test_the_configuration_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"forge\.base_url"):
        a_forge("http://ghe.example.com", tmp_path)
    with pytest.raises(ConfigurationError, match=r"`forge\.repo` is not set"):
        _ = a_forge("https://ghe.example.com", tmp_path, repo=None).repo


def test_it_is_found_by_its_name() -> None:
    assert plugins.load(plugins.FORGES, "github") is GitHubForge


def test_nobody_waits_for_pygithub_who_does_not_use_it() -> None:
    script = (
        "import sys; from tinytown import plugins; import tinytown.engine.context, tinytown.engine.start.start\n"
        "plugins.load(plugins.FORGES, 'local')\n"
        "print(sorted({'github', 'requests', 'urllib3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- people --------------------------------------------------------------------------------------


def test_only_people_who_may_write_are_heard(forge: GitHubForge, github: GitHub) -> None:
    """Whoever they say they are: strangers, bots, readers and those who are unknown are counted, not shown."""
    for login, role in {"ada": "admin", "bob": "write", "eve": "read", "hook[bot]": "write"}.items():
        github.person(login, role)
    said = (("ada", "one"), ("eve", "two"), ("nobody", "three"), ("hook[bot]", "four"), ("bob", "five"))
    github.issue(KEY, body="Words", author="eve", comments=said)
    issue = forge.issue(KEY)
    assert [(c.author, c.body) for c in issue.comments] == [("ada", "one"), ("bob", "five")]
    assert (issue.left_out, issue.trusted) == (3, False)
    github.issue(KEY, body="Words", author="ada")
    assert forge.issue(KEY).trusted
    assert sum(path.endswith("/permission") for path in github.paths()) == 4, "each person once, bots never"


def test_nobody_is_heard_where_permissions_are_not_told(forge: GitHubForge, github: GitHub) -> None:
    github.script("/repos/octo/site/collaborators/ada/permission", Answer(403, {"message": "Must have push access"}))
    github.issue(KEY, author="ada", comments=(("ada", "one"),))
    issue = forge.issue(KEY)
    assert (issue.comments, issue.left_out, issue.trusted) == ((), 1, False)


def test_a_rate_limit_says_nothing_about_a_person(forge: GitHubForge, github: GitHub) -> None:
    """It stops the reading: a comment must not be lost by it."""
    limited = Answer(403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "60"})
    github.script("/repos/octo/site/collaborators/ada/permission", limited)
    github.issue(KEY, author="ada", comments=(("ada", "one"),))
    with pytest.raises(UnreachableError, match="rate limit"):
        forge.issue(KEY)


def test_of_many_comments_the_newest_are_read(forge: GitHubForge, github: GitHub) -> None:
    github.person("ada")
    github.issue(KEY, comments=tuple(("ada", str(n)) for n in range(350)))
    issue = forge.issue(KEY)
    assert (issue.comments[0].body, issue.comments[-1].body, issue.left_out) == ("200", "349", 200)
    assert len(github.seen) == 4


def test_an_issue_that_did_not_change_costs_one_request_that_counts_for_nothing(
    forge: GitHubForge, github: GitHub
) -> None:
    github.person("ada")
    github.issue(KEY, body="Words", author="ada", comments=(("ada", "one"),), blocked_by=(KEY,))
    first = forge.issue(KEY)
    github.seen.clear()
    assert forge.issue(KEY) is first
    assert forge.issue_state(KEY) == "open"
    assert [one.status for one in github.seen] == [304, 304]
    github.issue(KEY, body="Other words", author="ada", comments=(("ada", "one"), ("ada", "two")), blocked_by=(KEY,))
    assert [c.body for c in forge.issue(KEY).comments] == ["one", "two"]
