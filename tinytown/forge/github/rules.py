"""What GitHub demands of a change before it may go into a branch: branch protection and rulesets.

Both are read as anybody who may read the repository sees them: what protects a branch stands in the branch itself, and
the rules of rulesets for it are listed. How many must review by branch protection alone only administrators see.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel

from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.forge.github.repositories import Repository
from tinytown.forge.github.rest import Rest
from tinytown.missions.records.forge_evidence import RequiredContext
from tinytown.missions.records.record import Record

#: Seconds for which rules are believed.
BELIEVED: Final = 600.0


class _Check(BaseModel):
    context: str
    app_id: int | None = None


class _Checks(BaseModel):
    contexts: list[str] = []
    checks: list[_Check] = []
    strict: bool | None = None


class _Protection(BaseModel):
    required_status_checks: _Checks | None = None


class _Commit(BaseModel):
    sha: str


class _Branch(BaseModel):
    name: str
    commit: _Commit
    protected: bool = False
    protection: _Protection | None = None


class _Rule(BaseModel):
    type: str
    parameters: dict[str, Any] | None = None
    ruleset_source: str = ""
    ruleset_id: int = 0


class _Reviews(BaseModel):
    required_approving_review_count: int = 0
    dismiss_stale_reviews: bool = False
    dismiss_stale_reviews_on_push: bool = False
    require_code_owner_reviews: bool = False
    require_code_owner_review: bool = False
    require_last_push_approval: bool = False
    required_review_thread_resolution: bool = False


class _Flag(BaseModel):
    enabled: bool = False


class _Whole(BaseModel):
    """A branch's protection as its administrators see it."""

    required_status_checks: _Checks | None = None
    required_pull_request_reviews: _Reviews | None = None
    required_conversation_resolution: _Flag = _Flag()
    required_linear_history: _Flag = _Flag()
    required_signatures: _Flag = _Flag()


class BranchRules(Record):
    """The rules of one branch."""

    required: tuple[RequiredContext, ...] = ()
    #: A change must be up to date with it; ``None`` where the token may not see that.
    strict: bool | None = False
    approvals: int = 0
    dismisses_stale: bool = False
    last_push_approval: bool = False
    code_owners: bool = False
    resolves_threads: bool = False
    #: No merge commits.
    linear: bool = False
    #: The ways of merging that are allowed; empty for all.
    methods: tuple[str, ...] = ()
    #: It merges by a queue.
    queue: bool = False
    #: It takes signed commits only.
    signatures: bool = False


class Rules:
    """The rules of branches that were asked for lately. Safe in many threads."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], tuple[float, BranchRules]] = {}

    def of(self, place: Repository, branch: str) -> BranchRules:
        """The rules of a branch; the errors are those of ``Client.ask``."""
        name = (place.id, branch)
        with self._lock:
            until, known = self._known.get(name, (0.0, None))
        if known is not None and time.monotonic() < until:
            return known
        found = self._read(place, branch)
        with self._lock:
            self._known[name] = (time.monotonic() + BELIEVED, found)
        return found

    def kinds(self, place: Repository, branch: str) -> list[str]:
        """The kinds of rules of rulesets that would hold for a branch of this name, there or not."""
        what = f"rules of {place.full_name} {branch}"
        found = self._rest.all(what, f"{place.path}/rules/branches/{quote(branch, safe='')}", _Rule)
        return [rule.type for rule in found]

    def tip(self, place: Repository, branch: str) -> str | None:
        """The newest commit of a branch; ``None`` for one that has another name now: that is redirected there."""
        found = self._seen(place, branch)
        return found.commit.sha if found.name == branch else None

    def _seen(self, place: Repository, branch: str) -> _Branch:
        path = f"{place.path}/branches/{quote(branch, safe='')}"
        return self._rest.read(f"{place.full_name} {branch}", path, _Branch)

    def _read(self, place: Repository, branch: str) -> BranchRules:
        what, quoted = f"{place.full_name} {branch}", quote(branch, safe="")
        seen = self._seen(place, branch)
        whole = self._whole(what, f"{place.path}/branches/{quoted}/protection") if seen.protected else None
        rules = self._rest.all(f"rules of {what}", f"{place.path}/rules/branches/{quoted}", _Rule)
        found = _of_protection(seen, whole)
        for rule in rules:
            found = _with(found, rule)
        return found

    def _whole(self, what: str, path: str) -> _Whole | None:
        try:
            return self._rest.read(what, path, _Whole)
        except (NotFoundError, ConfigurationError):
            return None  # Not protected that way, or the token is no administrator's.


def _of_protection(branch: _Branch, whole: _Whole | None) -> BranchRules:
    seen = whole or _Whole()
    checks = seen.required_status_checks
    if checks is None and branch.protection is not None:
        checks = branch.protection.required_status_checks
    reviews = seen.required_pull_request_reviews or _Reviews()
    return BranchRules(
        required=_contexts(checks, "branch protection"),
        strict=(checks.strict if checks and (checks.contexts or checks.checks) else False),
        approvals=reviews.required_approving_review_count,
        dismisses_stale=reviews.dismiss_stale_reviews,
        last_push_approval=reviews.require_last_push_approval,
        code_owners=reviews.require_code_owner_reviews,
        resolves_threads=seen.required_conversation_resolution.enabled,
        linear=seen.required_linear_history.enabled,
        signatures=seen.required_signatures.enabled,
    )


def _contexts(checks: _Checks | None, stated_by: str) -> tuple[RequiredContext, ...]:
    if checks is None:
        return ()
    named = {check.context: check.app_id for check in checks.checks}
    names = dict.fromkeys([*checks.contexts, *named])
    # An app of -1 stands for any.
    apps = {name: app if app is not None and app > 0 else None for name, app in named.items()}
    return tuple(RequiredContext(context=name, app_id=apps.get(name), stated_by=stated_by) for name in names)


def _with(found: BranchRules, rule: _Rule) -> BranchRules:
    parameters = rule.parameters or {}
    match rule.type:
        case "required_status_checks":
            said = [
                RequiredContext(
                    context=str(check["context"]), app_id=check.get("integration_id"), stated_by="a ruleset"
                )
                for check in parameters.get("required_status_checks") or ()
            ]
            # Where neither says yes, what the token may not see of the other stays unknown.
            strict = True if parameters.get("strict_required_status_checks_policy") else found.strict
            return found.evolve(required=(*found.required, *said), strict=strict)
        case "pull_request":
            reviews = _Reviews.model_validate(parameters)
            allowed = tuple(parameters.get("allowed_merge_methods") or ())
            both = tuple(m for m in allowed if m in found.methods) if found.methods and allowed else ()
            return found.evolve(
                approvals=max(found.approvals, reviews.required_approving_review_count),
                dismisses_stale=found.dismisses_stale or reviews.dismiss_stale_reviews_on_push,
                last_push_approval=found.last_push_approval or reviews.require_last_push_approval,
                code_owners=found.code_owners or reviews.require_code_owner_review,
                resolves_threads=found.resolves_threads or reviews.required_review_thread_resolution,
                methods=both or found.methods or allowed,
            )
        case "required_linear_history":
            return found.evolve(linear=True)
        case "merge_queue":
            return found.evolve(queue=True)
        case "required_signatures":
            return found.evolve(signatures=True)
        case _:
            return found
