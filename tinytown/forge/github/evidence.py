"""What one answer of GitHub says of a pull request, as records a kind. Nothing is asked here, and nothing is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tinytown.forge.github import body, marks
from tinytown.missions.records.forge_evidence import (
    Bots,
    CheckRun,
    Checks,
    Comment,
    Evidence,
    Known,
    Mergeability,
    Review,
    Reviews,
    Status,
    Statuses,
    Thread,
    Threads,
    WorkflowRun,
)

#: Most characters that are kept of a text.
TEXT: Final = 4000
SHORT: Final = 300
#: What a token needs for what it may lack.
CHECKS_RIGHT: Final = "read access to checks (fine-grained tokens cannot have it: use a classic one, or an app)"
ACTIONS_RIGHT: Final = "read access to actions"

Node = Mapping[str, Any]

_CONFLICTS: Final[Mapping[str, Known]] = {"CONFLICTING": "yes", "MERGEABLE": "no"}


@dataclass(frozen=True)
class Times:
    """When something was read, when it is to be read again, and until when it counts; seconds since the epoch."""

    seen_at: float
    due_at: float
    good_until: float

    def of(self, head: str) -> dict[str, Any]:
        """What every kind of evidence about ``head`` says."""
        return {"head": head, "seen_at": self.seen_at, "due_at": self.due_at, "good_until": self.good_until}


def unreadable(kind: type[Evidence], head: str, times: Times, why: str, *, lasting: bool, **more: Any) -> Any:
    """A record that says nothing but that it could not be read."""
    return kind(**times.of(head), unreadable=why, lasting=lasting, **more)


def contexts(nodes: Sequence[Node]) -> tuple[tuple[CheckRun, ...], tuple[Status, ...]]:
    """Check runs and statuses, which come in one list."""
    runs = tuple(_run(node) for node in nodes if node["__typename"] == "CheckRun")
    return runs, tuple(status(node) for node in nodes if node["__typename"] == "StatusContext")


def _run(node: Node) -> CheckRun:
    suite = node.get("checkSuite") or {}
    app, workflow = suite.get("app") or {}, suite.get("workflowRun") or {}
    return CheckRun(
        name=node["name"],
        app=app.get("slug") or "",
        app_id=app.get("databaseId"),
        id=node.get("databaseId") or 0,
        status=_word(node["status"]),
        conclusion=_word(node.get("conclusion")),
        event=workflow.get("event") or "",
        workflow_run=workflow.get("databaseId") or 0,
        started_at=at(node.get("startedAt")),
        completed_at=at(node.get("completedAt")),
        url=node.get("permalink") or "",
        title=_cut(node.get("title"), SHORT),
        summary=_cut(node.get("summary"), TEXT),
    )


def status(node: Node) -> Status:
    """A commit status in GraphQL."""
    creator = node.get("creator") or {}
    return Status(
        context=node["context"],
        # GitHub's EXPECTED is of a required one that nobody has reported.
        state=_word(node["state"]).replace("expected", "pending"),
        description=_cut(node.get("description"), SHORT),
        url=node.get("targetUrl") or "",
        creator=creator.get("login") or "",
        created_at=at(node.get("createdAt")),
    )


def workflows(commit: Node) -> tuple[WorkflowRun, ...]:
    """Runs of workflows, those that have no jobs included."""
    suites = (commit.get("checkSuites") or {}).get("nodes") or ()
    return tuple(
        WorkflowRun(
            id=run["databaseId"],
            name=(run.get("workflow") or {}).get("name") or "",
            event=run.get("event") or "",
            status=_word(suite["status"]),
            conclusion=_word(suite.get("conclusion")),
            started_at=at(suite.get("createdAt")),
            url=run.get("url") or "",
        )
        for suite in suites
        if (run := suite.get("workflowRun")) is not None
    )


def checks(head: str, times: Times, commit: Node, runs: Sequence[CheckRun], *, has_ci: Known) -> Checks:
    """The check runs of a head."""
    return Checks(**times.of(head), runs=tuple(runs), workflows=workflows(commit), has_ci=has_ci)


def statuses(head: str, times: Times, pull: Node, found: Sequence[Status]) -> Statuses:
    """The statuses of a head, and those of the commit by which GitHub tests its merge."""
    merge = (pull.get("potentialMergeCommit") or {}).get("status") or {}
    return Statuses(
        **times.of(head),
        contexts=tuple(found),
        merge_contexts=tuple(status(node) for node in merge.get("contexts") or ()),
    )


def reviews(head: str, times: Times, pull: Node) -> Reviews:
    """Its reviews, the oldest first."""
    requested = [request.get("requestedReviewer") or {} for request in pull["reviewRequests"]["nodes"]]
    return Reviews(
        **times.of(head),
        author=_login(pull.get("author")),
        requested=tuple(
            one.get("login") or one.get("slug") or "" for one in requested if one.get("__typename") != "Bot"
        ),
        reviews=tuple(
            Review(
                id=node["id"],
                author=_login(node.get("author")),
                is_bot=is_bot(node.get("author")),
                may_write=bool(node.get("authorCanPushToRepository")) and not is_bot(node.get("author")),
                state=_word(node["state"]),
                head=(node.get("commit") or {}).get("oid") or "",
                at=at(node.get("submittedAt")) or 0.0,
                body=_cut(node.get("body"), TEXT),
                url=node.get("url") or "",
            )
            for node in pull["reviews"]["nodes"]
        ),
    )


def bots(head: str, times: Times, pull: Node) -> Bots:
    """What bots said below it, and which are asked to review it."""
    requested = [request.get("requestedReviewer") or {} for request in pull["reviewRequests"]["nodes"]]
    return Bots(
        **times.of(head),
        comments=tuple(comment(node, trusted=True) for node in pull["comments"]["nodes"] if is_bot(node.get("author"))),
        requested=tuple(one.get("login") or "" for one in requested if one.get("__typename") == "Bot"),
    )


def threads(
    head: str, times: Times, nodes: Sequence[Node], *, us: str, unread: int, trusts: Callable[[Node | None], bool]
) -> Threads:
    """The conversations in its code; ``us`` is tinytown's own login."""
    return Threads(**times.of(head), threads=tuple(_thread(node, us, trusts) for node in nodes), unread=unread)


def _thread(node: Node, us: str, trusts: Callable[[Node | None], bool]) -> Thread:
    said = node["comments"]["nodes"]
    return Thread(
        id=node["id"],
        path=node.get("path") or "",
        line=node.get("line"),
        resolved=bool(node["isResolved"]),
        resolved_by_us=bool(us) and (node.get("resolvedBy") or {}).get("login") == us,
        outdated=bool(node["isOutdated"]),
        comments=tuple(comment(one, trusted=trusts(one.get("author"))) for one in said),
        url=said[0].get("url") or "" if said else "",
    )


def comment(node: Node, *, trusted: bool) -> Comment:
    """A comment below a pull request or in its code."""
    text = node.get("body") or ""
    return Comment(
        id=node["id"],
        author=_login(node.get("author")),
        body=_cut(text, TEXT),
        at=at(node.get("createdAt")) or 0.0,
        # Somebody else may have copied a mark.
        ours=bool(node.get("viewerDidAuthor")) and marks.has_one(text),
        trusted=trusted,
    )


def mergeability(head: str, times: Times, pull: Node, *, files: Sequence[str]) -> Mergeability:
    """Whether GitHub would merge it now."""
    target = (pull.get("baseRef") or {}).get("target") or {}
    return Mergeability(
        **times.of(head),
        state=_word(pull.get("mergeStateStatus")) or "unknown",
        conflicts=_CONFLICTS.get(str(pull.get("mergeable")), "unknown"),
        conflicting_files=tuple(files),
        base_tip=target.get("oid") or "",
        draft=bool(pull["isDraft"]),
        draft_by_us=bool(pull["isDraft"]) and body.is_our_draft(pull.get("body") or ""),
    )


def is_bot(author: Node | None) -> bool:
    """Whether it is an app's account."""
    return (author or {}).get("__typename") == "Bot"


def _login(author: Node | None) -> str:
    return str((author or {}).get("login") or "ghost")


def _word(value: object) -> str:
    return str(value).lower() if value else ""


def _cut(text: str | None, limit: int) -> str:
    return (text or "")[:limit]


def at(text: str | None) -> float | None:
    """A time as GitHub writes it, in seconds since the epoch; one that is none is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
