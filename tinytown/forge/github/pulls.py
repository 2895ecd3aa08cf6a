"""Pull requests: found by their branch or their own name, opened and described; each is proven to be the one meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from github import GithubException
from pydantic import BaseModel

from tinytown.errors import ClosedChangeError, NotFoundError, StateError, TinytownError
from tinytown.forge.contract import Change
from tinytown.forge.github import body, documents
from tinytown.forge.github.repositories import Repository
from tinytown.forge.github.rest import Rest

#: What a token needs to open and change pull requests.
RIGHT: Final = "write access to pull requests"
#: Characters of a title that GitHub takes.
_TITLE: Final = 256


class _Place(BaseModel):
    id: int
    full_name: str = ""


class _User(BaseModel):
    login: str = ""


class End(BaseModel):
    """The branch at one end of a pull request; its repository may be gone."""

    ref: str
    sha: str
    repo: _Place | None = None


class Pull(BaseModel):
    """A pull request, as far as it matters here. A list says less of each than it says of itself."""

    number: int
    node_id: str
    html_url: str = ""
    state: str
    title: str = ""
    body: str | None = None
    draft: bool = False
    head: End
    base: End
    user: _User | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    #: ``None`` while GitHub computes it.
    mergeable: bool | None = None
    mergeable_state: str = "unknown"

    @property
    def merged(self) -> bool:
        """It was merged, by whomever."""
        return self.merged_at is not None

    @property
    def open(self) -> bool:
        """It can still be merged."""
        return self.state == "open"


class _Closer(BaseModel):
    closed_by: _User | None = None


class Pulls:
    """Pull requests of all repositories of one client."""

    def __init__(self, rest: Rest, *, title: Callable[[], str]) -> None:
        self._rest = rest
        self._title = title

    def get(self, place: Repository, number: int) -> Pull:
        """It as it is now; GitHub begins to compute whether it can be merged."""
        pull = self._rest.read(f"{place.full_name}#{number}", f"{place.path}/pulls/{number}", Pull)
        if pull.number != number or pull.base.repo is None or pull.base.repo.id != place.id:
            raise NotFoundError(
                f"{place.full_name}#{number} is another pull request than asked for", remedy="look at its page"
            )
        return pull

    def of_branch(self, place: Repository, branch: str) -> list[Pull]:
        """All of a branch of this very repository, in any state, the newest first."""
        found = self._rest.all(
            f"pull requests of {branch}", f"{place.path}/pulls", Pull, state="all", head=f"{place.owner}:{branch}"
        )
        # A redirected list comes without its filter.
        mine = [pull for pull in found if pull.head.ref == branch and _is(pull.head, place) and _is(pull.base, place)]
        return sorted(mine, key=lambda pull: pull.number, reverse=True)

    def find(self, place: Repository, change: Change) -> Pull | None:
        """The pull request of a change: the one that is known by its own name, else an open one, else the newest."""
        if change.id and change.name.isdigit():
            pull = self.get(place, int(change.name))
            if pull.node_id == change.id:
                return pull
        found = self.of_branch(place, change.branch)
        known = next((pull for pull in found if change.id and pull.node_id == change.id), None)
        opened = next((pull for pull in found if pull.open), None)
        return known or opened or next(iter(found), None)

    def on_base(self, place: Repository, branch: str) -> list[Pull]:
        """The open ones that are to go into this branch."""
        what = f"pull requests into {branch}"
        found = self._rest.all(what, f"{place.path}/pulls", Pull, state="open", base=branch)
        return [pull for pull in found if pull.base.ref == branch]

    def closer(self, place: Repository, number: int) -> str:
        """Who closed it, for people."""
        try:
            found = self._rest.read(f"{place.full_name}#{number}", f"{place.path}/issues/{number}", _Closer)
        except TinytownError:
            return "a person"
        return found.closed_by.login if found.closed_by and found.closed_by.login else "a person"

    def require_not_closed(self, place: Repository, pull: Pull) -> None:
        """Raise ``ClosedChangeError`` for one that a person closed without merging it."""
        if not pull.open and not pull.merged:
            raise ClosedChangeError(
                f"pull request #{pull.number} was closed by {self.closer(place, pull.number)}",
                remedy=f"open it again at {pull.html_url}, then retry; or cancel the item",
            )

    def _title_of(self, change: Change) -> str:
        # The issue's own title comes last: what looks like a place in it is none.
        number = change.key.rpartition("#")[2]
        return self._title().replace("{issue}", number).replace("{title}", change.title)[:_TITLE]

    def create(self, place: Repository, change: Change, *, closes: str) -> Pull:
        """Open one for a branch that has none that counts; one that appeared meanwhile is taken instead."""
        fields = {
            "title": self._title_of(change),
            "head": change.branch,
            "base": change.base,
            "body": body.new(change, closes=closes, draft=change.draft),
            "draft": change.draft,
        }
        try:
            pull = self._create(place, change, fields, closes=closes)
        except _AlreadyThereError:
            found = next((pull for pull in self.of_branch(place, change.branch) if pull.open), None)
            if found is None:
                raise StateError(
                    f"{place.full_name} says that {change.branch} has a pull request, and lists none",
                    remedy="look at its page, then retry",
                ) from None
            return found
        if pull.head.ref != change.branch or not _is(pull.base, place):
            raise NotFoundError(f"{place.full_name} answered about another pull request", remedy="look at its page")
        return pull

    def _create(self, place: Repository, change: Change, fields: Mapping[str, Any], *, closes: str) -> Pull:
        what = f"a pull request of {change.branch}"

        def send(fields: Mapping[str, Any]) -> Pull:
            return self._rest.create(what, f"{place.path}/pulls", Pull, fields, right=RIGHT, refusals=_refused)

        try:
            return send(fields)
        except _NoDraftsError:
            return send({**fields, "draft": False, "body": body.new(change, closes=closes, draft=False)})

    def edit(self, place: Repository, pull: Pull, **fields: str) -> Pull:
        """Change its title, body, base or state; gives it as it is then."""
        what = f"{place.full_name}#{pull.number}"
        return self._rest.write(what, "PATCH", f"{place.path}/pulls/{pull.number}", Pull, fields, right=RIGHT)

    def describe(self, place: Repository, pull: Pull, change: Change, *, closes: str, draft: bool) -> Pull:
        """Bring tinytown's part of its body up to date; what people wrote around it stays."""
        wanted = body.updated(pull.body or "", change, closes=closes, draft=draft)
        return pull if wanted == (pull.body or "") else self.edit(place, pull, body=wanted)

    def ready(self, place: Repository, pull: Pull) -> None:
        """Take it out of the drafts."""
        self._rest.mutate(f"{place.full_name}#{pull.number}", documents.READY, {"id": pull.node_id}, right=RIGHT)


class _AlreadyThereError(Exception):
    """The branch has an open pull request."""


class _NoDraftsError(Exception):
    """This repository's plan knows no drafts."""


def _refused(error: GithubException) -> Exception | None:
    if error.status != 422:
        return None
    errors = error.data.get("errors") if isinstance(error.data, dict) else None
    message = error.data.get("message", "") if isinstance(error.data, dict) else ""
    words = " ".join(
        [str(message), *(str(e.get("message", "")) if isinstance(e, dict) else str(e) for e in errors or ())]
    )
    if "already exists" in words:
        return _AlreadyThereError()
    if "draft" in words.lower():
        return _NoDraftsError()
    if "No commits between" in words:
        return StateError("the branch holds nothing that its base does not hold", remedy="see `tt mission status`")
    return None


def _is(end: End, place: Repository) -> bool:
    return end.repo is not None and end.repo.id == place.id
