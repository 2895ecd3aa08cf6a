"""The GitHub forge: issues, their states, their own "blocked by", and changes as pull requests.

Only one process of a town uses it; ``tinytown.forge.away`` is what all others have.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from github import Github, GithubException
from pydantic import BaseModel, ValidationError

from tinytown import keys
from tinytown.errors import BaseGoneError, ConfigurationError, NotFoundError, StateError
from tinytown.forge.contract import Access, Change, IssueState, MergeResult, Published, RunChecks, Seen, StatusState
from tinytown.forge.github import copies, faults, publishing, readiness, site, updating
from tinytown.forge.github.api import Api
from tinytown.forge.github.client import Client
from tinytown.forge.github.evidence import Times
from tinytown.forge.github.merging import Merging
from tinytown.forge.github.observing import Observing
from tinytown.forge.github.people import People, User
from tinytown.forge.github.repositories import Repository
from tinytown.forge.github.saying import Saying
from tinytown.missions.evidence.schedule import Look
from tinytown.missions.records.forge_evidence import ChangeEvidence
from tinytown.missions.records.issue import Issue
from tinytown.town import Town

_API_PATH = re.compile(r"/repos/([^/\s?#]+/[^/\s?#]+)/(?:issues|pulls)/([1-9][0-9]{0,8})$")

#: Answers that are remembered.
_REMEMBERED = 5000
#: Seconds for which it is believed who wrote in an issue that does not change: people lose their access, too.
_BELIEVED = 3600.0


class _Label(BaseModel):
    name: str


class _PullRequest(BaseModel):
    merged_at: str | None = None


class _Summary(BaseModel):
    #: Open blockers, and all of them.
    blocked_by: int = 0
    total_blocked_by: int = 0


class _Answer(BaseModel):
    """What GitHub says about an issue or a pull request, as far as it matters here."""

    id: int
    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    state_reason: str | None = None
    #: Its address in the API, by the present name of its repository.
    url: str
    html_url: str = ""
    labels: list[_Label] = []
    pull_request: _PullRequest | None = None
    issue_dependencies_summary: _Summary | None = None
    user: User | None = None
    comments: int = 0


class GitHubForge:
    """See ``Forge`` for the contract of each method."""

    kind = "github"

    def __init__(self, town: Town) -> None:
        self._settings = town.settings.forge
        self._site = site.site(self._settings.base_url)
        self._client = Client(self._site, token_file=self._settings.github.token_file, ledgers=town.state / "github")
        self._api = Api(town, self._client)
        self._checks_wanted = town.settings.policy.require_checks
        self._merging = Merging(self._api)
        self._mirrors = town.mirrors
        #: Present names of repositories that were renamed, by the name that was asked for, in lower case.
        self._renamed: dict[str, str] = {}
        self._people = People()
        self._observing = Observing(self._api, self._people)
        self._saying = Saying(self._api, town.id)
        #: Last answers with their ETags, by path: an issue that did not change costs nothing of the rate limit.
        self._answers: dict[str, tuple[str, _Answer]] = {}
        #: The issue made from an answer and from further requests, by path.
        self._issues: dict[str, tuple[_Answer, Issue, float]] = {}

    @property
    def repo(self) -> str:
        """The town's own repository, by its present name where that is known."""
        name = site.repository(self._settings.repo)
        return self._renamed.get(name.lower(), name)

    # -- issues ------------------------------------------------------------------------------------

    def issue_key(self, reference: str) -> str:
        return site.issue_key(reference, site=self._site, repo=self.repo)

    def issue(self, key: str) -> Issue:
        """As the contract says; an issue that moved, or whose repository was renamed, comes with its new key."""
        parts = keys.parse(key)
        if parts.kind != "github":
            raise NotFoundError(f"{key} is not an issue on GitHub", remedy="use a key like `owner/repo#2`")
        return self._client.ask(key, lambda github: self._issue(github, parts))

    def open_issues(self) -> Sequence[str]:
        return self._client.ask(self.repo, lambda github: _open_issues(github, self.repo))

    def issue_state(self, key: str) -> IssueState:
        """As the contract says; a pull request counts as completed when it was merged."""
        parts = keys.parse(key)
        if parts.kind != "github":
            return "unknown"
        try:
            return self._client.ask(key, lambda github: _state(self._read(github, parts)))
        except NotFoundError:
            return "unknown"

    def _issue(self, github: Github, parts: keys.Key) -> Issue:
        answer = self._read(github, parts)
        key = self._key(answer.url)
        if answer.pull_request is not None:
            raise NotFoundError(f"{key} is a pull request, not an issue", remedy="name the issue it is about")
        if key.number == parts.number and key.repo.lower() != parts.repo.lower():
            self._renamed[parts.repo.lower()] = key.repo
        known = self._issues.get(str(key))
        if known is not None and known[0] is answer and time.monotonic() < known[2]:
            return known[1]
        comments, left_out = self._people.comments(github, key.repo, key.number, answer.comments)
        issue = Issue(
            key=str(key),
            number=key.number,
            title=answer.title,
            body=answer.body or "",
            labels=tuple(label.name for label in answer.labels),
            state=_closed(answer) if answer.state == "closed" else "open",
            url=answer.html_url or f"{self._site.web}/{key.repo}/issues/{key.number}",
            blocked_by=self._blockers(github, key, answer.issue_dependencies_summary),
            comments=comments,
            left_out=left_out,
            trusted=self._people.may_write(github, key.repo, answer.user),
        )
        self._issues[str(key)] = (answer, issue, time.monotonic() + _BELIEVED)
        return issue

    def _read(self, github: Github, parts: keys.Key) -> _Answer:
        """The answer about an issue; the very same object as last time if nothing changed since."""
        path = f"/repos/{parts.repo}/issues/{parts.number}"
        etag, answer = self._answers.get(path, ("", None))
        condition = {"If-None-Match": etag} if etag else None
        headers, data = github.requester.requestJsonAndCheck("GET", path, headers=condition)
        if data is None and answer is not None:
            return answer
        try:
            answer = _Answer.model_validate(data)
        except ValidationError:
            # A page that isn't the API's, or a redirection that was not followed.
            raise faults.no_answer(what=str(parts), site=self._site) from None
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
            self._issues.clear()
        self._answers[path] = (str(headers.get("etag") or ""), answer)
        return answer

    def _blockers(self, github: Github, key: keys.Key, summary: _Summary | None) -> tuple[str, ...]:
        """Keys of the issues that GitHub itself says come first, those that are closed included."""
        if summary is not None and not (summary.total_blocked_by or summary.blocked_by):
            return ()  # Most issues: no further request.
        try:
            found = list(github.get_repo(key.repo).get_issue(key.number).get_blocked_by())
        except GithubException as error:
            if summary is None and error.status == 404:
                return ()  # An older server, which knows no dependencies.
            raise
        return tuple(dict.fromkeys(str(self._key(blocker.url)) for blocker in found))

    def _key(self, url: str) -> keys.Key:
        """Where an issue is now, told from its own address in the API."""
        found = _API_PATH.search(url)
        try:
            if found is not None:
                return keys.parse(f"{found[1]}#{found[2]}")
        except ConfigurationError:
            pass
        raise faults.no_answer(what="an issue", site=self._site)

    # -- the repository ----------------------------------------------------------------------------

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:
        # Problems of the access itself come first.
        name = repo or self.repo
        tip = self.base_tip(name, base)
        return readiness.remarks(self._api, name, base, tip, checks_wanted=self._checks_wanted)

    def base_tip(self, repo: str, base: str) -> str:
        # A missing repository is another error than a missing branch.
        place = self._api.repositories.at(repo, fresh=True)
        try:
            tip = self._api.rules.tip(place, base)
        except NotFoundError:
            tip = None
        if not tip:
            raise BaseGoneError(
                f"{repo} has no branch `{base}`", remedy="create it, or set `forge.base` in tinytown.toml"
            )
        return tip

    def start_warnings(self) -> Sequence[str]:
        remarks = []
        configured = site.repository(self._settings.repo)
        if self.repo.lower() != configured.lower():
            remarks.append(f"{configured} is now called {self.repo}: set `forge.repo` in tinytown.toml")
        if self._client.token is None:
            remarks.append(
                f"no token for {self._site.host} was found: only public issues can be read, and only a few an hour"
            )
        return remarks

    def access(self) -> Access:
        """What the token opens, told from one request."""
        return self._client.ask(self.repo, lambda github: _access(github, self.repo, self._client.token))

    # -- changes -----------------------------------------------------------------------------------

    def mirror(self, repo: str) -> Path:
        return self._api.repositories.do(repo, lambda place: self._updated(repo, place))

    def _updated(self, repo: str, place: Repository) -> Path:
        folder = self._api.copy(place).update()
        for name in {repo, place.full_name}:
            copies.note(self._mirrors, name, folder)
        return folder

    def mirror_folder(self, repo: str) -> Path:
        return copies.noted(self._mirrors, repo)

    def publish(self, repo: str, change: Change) -> Published:
        return publishing.publish(self._api, repo, change)

    def observe(self, repo: str, change: Change) -> Seen:
        return self._merging.observe(repo, change)

    def merge(
        self,
        repo: str,
        change: Change,
        *,
        checked_tree: str | None,  # noqa: ARG002 - GitHub's own rules decide what it must pass
        checks: RunChecks | None,  # noqa: ARG002
    ) -> MergeResult:
        return self._merging.merge(repo, change)

    def evidence(
        self, repo: str, changes: Sequence[Change], look: Look, *, seen_at: float, bots: Sequence[str] = ()
    ) -> Mapping[str, ChangeEvidence]:
        times = Times(seen_at, look.due_at, look.good_until)
        return self._observing.evidence(repo, changes, times, bots=bots)

    def comment(self, repo: str, change: Change, text: str, *, about: str) -> None:
        self._saying.comment(repo, _number(change), text, about=about)

    def review(self, repo: str, change: Change, text: str, *, about: str) -> None:
        self._saying.review(repo, _number(change), change.head, text, about=about)

    def set_status(self, repo: str, sha: str, state: StatusState, text: str, *, url: str = "") -> None:
        self._saying.status(repo, sha, state, text, url=url)

    def answer_thread(self, repo: str, thread: str, text: str, *, about: str, resolve: bool) -> bool:  # noqa: ARG002
        return self._saying.answer(thread, text, about=about, resolve=resolve)

    def run_again(self, repo: str, check: int, workflow_run: int) -> None:
        self._api.repositories.do(repo, lambda place: self._observing.actions.run_again(place, check, workflow_run))

    def mark_ready(self, repo: str, change: Change) -> None:
        publishing.mark_ready(self._api, repo, change)

    def update_branch(self, repo: str, change: Change) -> str | None:
        return updating.update(self._api, repo, change)

    def close_issue(self, key: str) -> None:
        self._saying.close_issue(self.issue(key).key)  # It may be in another repository by now.

    def delete_branch(self, repo: str, change: Change) -> str:
        return self._merging.delete_branch(repo, change)


def _number(change: Change) -> int:
    if not change.name.isdigit():
        raise StateError(f"`{change.branch}` has no pull request yet", remedy="publish it first")
    return int(change.name)


def _state(answer: _Answer) -> IssueState:
    if answer.state == "open":
        return "open"
    if answer.pull_request is not None:
        return "completed" if answer.pull_request.merged_at is not None else "not_planned"
    return _closed(answer)


def _closed(answer: _Answer) -> Literal["completed", "not_planned"]:
    """How a closed issue ended; issues that were closed before there were reasons have none."""
    return "completed" if answer.state_reason in (None, "completed") else "not_planned"


def _access(github: Github, repo: str, token: site.Token | None) -> Access:
    found = github.get_repo(repo).complete()
    rights = found.raw_data.get("permissions")
    # As the last answer said; asking would be one more request, and not every server has the question.
    left, limit = github.requester.rate_limiting
    return Access(
        repo=found.full_name,
        token=token.source if token is not None else None,
        may_push=rights.get("push") if isinstance(rights, dict) else None,
        requests_left=left if limit > 0 else None,
    )


def _open_issues(github: Github, repo: str) -> list[str]:
    # The list has pull requests, too.
    found = github.get_repo(repo).get_issues(state="open", sort="created", direction="asc")
    return [f"{repo}#{number}" for number in sorted(i.number for i in found if i.pull_request is None)]
