"""Read what keeps pull requests from merging: many at once by GraphQL, and by REST what a token cannot read that way.

A part that could not be read becomes a record that says so; the others are not lost by it. Nothing is remembered but
answers that are given whole each time, so that whoever lost one gets it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import BaseModel

from tinytown.errors import ConfigurationError, NotFoundError, RateLimitError, TinytownError, UnreachableError
from tinytown.forge.contract import Change
from tinytown.forge.github import documents, evidence
from tinytown.forge.github.actions import Actions
from tinytown.forge.github.api import Api
from tinytown.forge.github.evidence import Node, Times
from tinytown.forge.github.people import People, User
from tinytown.forge.github.repositories import Repository
from tinytown.git import merge as merging
from tinytown.git.repository import branch_ref
from tinytown.missions.records.forge_evidence import (
    Bots,
    ChangeEvidence,
    CheckRun,
    Checks,
    Known,
    Mergeability,
    Protection,
    Reviews,
    Status,
    Statuses,
    Threads,
)

#: Pull requests of one question: GitHub gives up after ten seconds.
BATCH: Final = 25
#: Further pages of a list inside a pull request.
PAGES: Final = 5
#: Conclusions that need an explanation.
RED: Final = frozenset({"failure", "timed_out", "startup_failure", "cancelled", "stale"})


class _RestStatus(BaseModel):
    context: str
    state: str
    description: str | None = None
    target_url: str | None = None
    created_at: str | None = None
    creator: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Answer:
    """One pull request as it was read."""

    pull: Node
    #: Names of the parts that the token may not read, with GitHub's words.
    forbidden: Mapping[str, str]
    us: str


class Observing:
    """The pull requests of one town."""

    def __init__(self, api: Api, people: People) -> None:
        self._api = api
        self._people = people
        self.actions = Actions(api.rest, api.client)

    def evidence(
        self, repo: str, changes: Sequence[Change], times: Times, *, bots: Collection[str] = ()
    ) -> dict[str, ChangeEvidence]:
        """What there is of these changes, by their own names; those that are gone are missing.

        ``bots`` are logins whose comments count like those of people who may write.

        Raises:
            RateLimitError: GitHub wants to be asked later.
            UnreachableError: it does not answer.
        """
        listened = {_plain(login) for login in bots}
        found = {}
        for answer in self._read([change.id for change in changes if change.id]):
            one = partial(self._evidence, answer, times, listened)
            found[answer.pull["id"]] = self._api.repositories.do(repo, one)
        return found

    # -- reading -----------------------------------------------------------------------------------

    def _read(self, ids: Sequence[str]) -> Iterator[_Answer]:
        for start in range(0, len(ids), BATCH):
            yield from self._batch(ids[start : start + BATCH])

    def _batch(self, ids: Sequence[str]) -> Iterator[_Answer]:
        try:
            answer = self._api.rest.graph("pull requests", documents.OBSERVE, {"ids": list(ids)})
        except (RateLimitError, ConfigurationError):
            raise
        except UnreachableError:
            if len(ids) == 1:
                raise
            # It was too much at once.
            middle = len(ids) // 2
            yield from self._batch(ids[:middle])
            yield from self._batch(ids[middle:])
            return
        us = (answer.data.get("viewer") or {}).get("login") or ""
        for number, node in enumerate(answer.data.get("nodes") or ()):
            if node and node.get("__typename") == "PullRequest":
                yield _Answer(node, _forbidden(answer.errors, number), us)

    def _more(
        self, document: str, pull: Node, first: Node, part: Callable[[Node], Node | None]
    ) -> tuple[list[Node], int]:
        """All entries of a list inside a pull request, and how many were not read."""
        nodes, page = list(first["nodes"]), first
        for _ in range(PAGES):
            if not page["pageInfo"]["hasNextPage"]:
                break
            asked = {"id": pull["id"], "after": page["pageInfo"]["endCursor"]}
            node = self._api.rest.graph(f"#{pull['number']}", document, asked).data.get("node") or {}
            more = part(node)
            if more is None or node.get("headRefOid") != pull["headRefOid"]:
                break  # It moved meanwhile; the next look sees it as it is then.
            page = more
            nodes += page["nodes"]
        return nodes, max(first["totalCount"] - len(nodes), 0)

    # -- one pull request --------------------------------------------------------------------------

    def _evidence(self, answer: _Answer, times: Times, listened: Collection[str], place: Repository) -> ChangeEvidence:
        pull, head = answer.pull, answer.pull["headRefOid"]

        def trusts(author: Node | None) -> bool:
            login = (author or {}).get("login") or ""
            if evidence.is_bot(author):
                return _plain(login) in listened
            return self._api.client.ask(
                login, lambda github: self._people.may_write(github, place.full_name, User(login=login))
            )

        def part(kind: type, read: Callable[[], Any], **more: Any) -> Any:
            try:
                return read()
            except RateLimitError:
                raise
            except TinytownError as error:
                lasting = isinstance(error, ConfigurationError)
                return evidence.unreadable(kind, head, times, str(error), lasting=lasting, **more)

        checks, statuses = self._checks(place, answer, times)
        base = pull["baseRefName"]
        base_checks, base_statuses = self._base(place, pull, times, checks, statuses)
        return ChangeEvidence(
            checks=checks,
            statuses=statuses,
            bots=part(Bots, lambda: evidence.bots(head, times, pull)),
            reviews=part(Reviews, lambda: evidence.reviews(head, times, pull)),
            threads=part(Threads, lambda: self._threads(answer, times, trusts)),
            mergeability=part(Mergeability, lambda: self._mergeability(place, pull, times)),
            protection=part(Protection, lambda: self._protection(place, pull, times), base=base),
            base_checks=base_checks,
            base_statuses=base_statuses,
        )

    def _threads(self, answer: _Answer, times: Times, trusts: Callable[[Node | None], bool]) -> Threads:
        pull = answer.pull
        nodes, unread = self._more(
            documents.MORE_THREADS, pull, pull["reviewThreads"], lambda node: node.get("reviewThreads")
        )
        return evidence.threads(pull["headRefOid"], times, nodes, us=answer.us, unread=unread, trusts=trusts)

    def _mergeability(self, place: Repository, pull: Node, times: Times) -> Mergeability:
        conflicts: Sequence[str] = ()
        if pull.get("mergeable") == "CONFLICTING":
            conflicts = self._conflicts(place, pull)
        return evidence.mergeability(pull["headRefOid"], times, pull, files=conflicts)

    def _conflicts(self, place: Repository, pull: Node) -> Sequence[str]:
        """The files, which GitHub does not name."""
        copy = self._api.copy(place)
        try:
            copy.update()
        except TinytownError:
            return ()
        head, tip = copy.own.commit(pull["headRefOid"]), copy.own.commit(branch_ref(pull["baseRefName"]))
        if head is None or tip is None:
            return ()
        return merging.merge(copy.folder, tip, head, rules=tip, keep=False).conflicts

    def _protection(self, place: Repository, pull: Node, times: Times) -> Protection:
        base = pull["baseRefName"]
        rules = self._api.rules.of(place, base)
        return Protection(
            **times.of(pull["headRefOid"]),
            base=base,
            required=rules.required,
            strict="unknown" if rules.strict is None else "yes" if rules.strict else "no",
            approvals=rules.approvals,
            dismisses_stale=rules.dismisses_stale,
            last_push_approval=rules.last_push_approval,
            code_owners=rules.code_owners,
            resolves_threads=rules.resolves_threads,
        )

    # -- checks and statuses -----------------------------------------------------------------------

    def _checks(self, place: Repository, answer: _Answer, times: Times) -> tuple[Checks, Statuses]:
        pull, head = answer.pull, answer.pull["headRefOid"]
        commits = pull["commits"]["nodes"]
        commit = commits[0]["commit"] if commits else {"oid": head}
        about = commit["oid"]
        if why := answer.forbidden.get("statusCheckRollup"):
            return self._by_actions(place, about, times, why)
        rollup = commit.get("statusCheckRollup")
        nodes: list[Node] = []
        unread = 0
        if rollup is not None:
            nodes, unread = self._more(documents.MORE_CONTEXTS, pull, rollup["contexts"], _contexts)
        if unread:
            why = f"{unread} of its checks and statuses could not be read"
            return (
                evidence.unreadable(Checks, about, times, why, lasting=False),
                evidence.unreadable(Statuses, about, times, why, lasting=False),
            )
        runs, found = evidence.contexts(nodes)
        has_ci = "yes" if nodes else self._has_ci(place)
        checks = evidence.checks(about, times, commit, self._explained(place, runs), has_ci=has_ci)
        return checks, evidence.statuses(about, times, pull, found)

    def _explained(self, place: Repository, runs: Sequence[CheckRun]) -> list[CheckRun]:
        return [self.actions.explained(place, run) if run.conclusion in RED else run for run in runs]

    def _has_ci(self, place: Repository) -> Known:
        try:
            return "yes" if self.actions.has_workflows(place) else "no"
        except RateLimitError:
            raise
        except TinytownError:
            return "unknown"

    def _by_actions(self, place: Repository, head: str, times: Times, why: str) -> tuple[Checks, Statuses]:
        """For a token that may not read checks: the jobs of workflows, and the statuses."""
        try:
            workflows, runs = self.actions.of_head(place, head)
            checks = Checks(
                **times.of(head), source="actions", runs=tuple(self._explained(place, runs)), workflows=workflows,
                has_ci="yes" if runs or workflows else self._has_ci(place),
            )  # fmt: skip
        except RateLimitError:
            raise
        except (ConfigurationError, NotFoundError):
            words = f"the token may read neither checks nor workflows ({why}); give it {evidence.CHECKS_RIGHT}"
            checks = evidence.unreadable(Checks, head, times, words, lasting=True)
        except TinytownError as error:
            checks = evidence.unreadable(Checks, head, times, str(error), lasting=False)
        return checks, self._statuses(place, head, times)

    def _statuses(self, place: Repository, head: str, times: Times) -> Statuses:
        try:
            said = self._api.rest.all(f"statuses of {head[:10]}", f"{place.path}/commits/{head}/statuses", _RestStatus)
        except RateLimitError:
            raise
        except TinytownError as error:
            lasting = isinstance(error, ConfigurationError)
            unread: Statuses = evidence.unreadable(Statuses, head, times, str(error), lasting=lasting)
            return unread
        newest = {one.context: one for one in reversed(said)}
        return Statuses(**times.of(head), contexts=tuple(_status(one) for one in newest.values()))

    def _base(
        self, place: Repository, pull: Node, times: Times, checks: Checks, statuses: Statuses
    ) -> tuple[Checks | None, Statuses | None]:
        """What the base says, where something failed that may be its fault."""
        failed = any(run.conclusion in RED for run in checks.runs) or any(
            one.state in ("failure", "error") for one in statuses.contexts
        )
        tip = ((pull.get("baseRef") or {}).get("target") or {}).get("oid")
        if not failed or not tip:
            return None, None
        for sha in self._api.copy(place).line_of(tip, length=PAGES):
            try:
                runs = self.actions.check_runs(place, sha)
            except RateLimitError:
                raise
            except TinytownError as error:
                unread: Checks = evidence.unreadable(Checks, sha, times, str(error), lasting=False)
                return unread, None
            found = self._statuses(place, sha, times)
            if runs or found.contexts:
                return Checks(**times.of(sha), runs=tuple(runs), has_ci="yes"), found
        return None, None


def _contexts(node: Node) -> Node | None:
    commits = (node.get("commits") or {}).get("nodes") or ()
    rollup = commits[0]["commit"].get("statusCheckRollup") if commits else None
    found: Node | None = rollup["contexts"] if rollup else None
    return found


def _forbidden(errors: Sequence[Mapping[str, Any]], number: int) -> dict[str, str]:
    """The parts of the answer's entry that the token may not read."""
    found: dict[str, str] = {}
    for error in errors:
        path = list(error.get("path") or ())
        if path[:2] == ["nodes", number]:
            said = " ".join(str(error.get("message") or "").split())[:160]
            found |= {name: said for name in path[2:] if isinstance(name, str)}
    return found


def _status(one: _RestStatus) -> Status:
    return Status(
        context=one.context,
        state=one.state,
        description=(one.description or "")[: evidence.SHORT],
        url=one.target_url or "",
        creator=str((one.creator or {}).get("login") or ""),
        created_at=evidence.at(one.created_at),
    )


def _plain(login: str) -> str:
    return login.casefold().removesuffix("[bot]")
