"""Whether missions can work on a repository at GitHub: what the token may do there, and what its rules demand.

What nothing can be done without is refused, everything else is a remark for the one who starts a mission.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel

from tinytown.errors import ConfigurationError, NotFoundError, RateLimitError, StateError, TinytownError
from tinytown.forge.github.actions import Actions
from tinytown.forge.github.api import Api
from tinytown.forge.github.merging import allowed_methods
from tinytown.forge.github.repositories import Repository
from tinytown.forge.github.rules import BranchRules
from tinytown.git.repository import BRANCH_PREFIX

#: Rules of rulesets that keep tinytown from making its own branches.
_OWN_BRANCHES: Final = ("creation", "update", "required_signatures")
#: Rules for the base that tinytown knows no way to satisfy.
_UNKNOWN: Final = (
    "update",
    "required_deployments",
    "commit_message_pattern",
    "commit_author_email_pattern",
    "committer_email_pattern",
)
#: What may be forbidden to read, below the repository's address, and what it is read for.
_QUERIES: Final = {
    "commits/{tip}/check-runs": (
        "the token cannot read check runs: only jobs of GitHub Actions, statuses and GitHub's word on merging count; "
        "fine-grained tokens cannot have that right, `gh auth token` and classic ones have it"
    ),
    "commits/{tip}/statuses": (
        "the token cannot read commit statuses, so no change is ever known to be green: give it write access to them, "
        "by which tinytown also shows what its reviewer says"
    ),
    "actions/runs": (
        "the token cannot read actions, so agents get no logs of failed jobs, and none is run again: give it write "
        "access to them"
    ),
    "issues": "the token cannot read issues, nor close them: give it write access to them",
    "pulls": "the token cannot read pull requests, nor open them: give it write access to them",
}


class _File(BaseModel):
    content: str


def remarks(api: Api, repo: str, base: str, tip: str, *, checks_wanted: bool) -> Sequence[str]:
    """What whoever starts a mission there should know; ``tip`` is the newest commit of ``base``.

    ``checks_wanted``: a change that no check looks at waits for a person.

    Raises:
        StateError: there is no token, it may not push, or the repository is archived.
        UnreachableError: GitHub does not answer.
    """
    place = api.repositories.at(repo, fresh=True)
    if api.client.token is None:
        raise StateError(
            f"no token for {api.client.site.host} was found, so nothing can be brought there",
            remedy="set GH_TOKEN, or run `gh auth login`",
        )
    if place.archived:
        raise StateError(f"{place.full_name} is archived", remedy="unarchive it on GitHub, or name another repository")
    if place.permissions is not None and place.permissions.push is False:
        raise StateError(
            f"the token from {api.client.token.source} may not push to {place.full_name}",
            remedy="give it write access to contents and pull requests",
        )
    if (scopes := api.client.scopes) is not None and not {"repo", "public_repo"} & set(scopes):
        raise StateError(
            f"the token from {api.client.token.source} lacks the scope `repo`, so nothing can be brought there",
            remedy="make one with the scopes `repo` and `workflow`",
        )
    rules = api.rules.of(place, base)
    return (
        *_of_token(api, place, tip),
        *_of_rules(api, place, base, rules),
        *(_of_checks(api, place, tip) if checks_wanted and not rules.required else ()),
        *_of_own_branches(api, place),
        *_of_contents(api, place, tip),
    )


def _of_token(api: Api, place: Repository, tip: str) -> Iterator[str]:
    for what, words in _QUERIES.items():
        try:
            api.rest.look(what.rpartition("/")[2], f"{place.path}/{what.format(tip=tip)}")
        except RateLimitError:
            raise
        except (ConfigurationError, NotFoundError):
            yield words
        except TinytownError:
            continue  # That it could not be asked says nothing about the token.
    scopes = api.client.scopes
    if scopes is not None and "workflow" not in scopes:
        yield "the token lacks the scope `workflow`: changes to .github/workflows cannot be pushed"


def _of_rules(api: Api, place: Repository, base: str, rules: BranchRules) -> Iterator[str]:
    allowed, wanted = allowed_methods(place, rules), api.merge_method
    if rules.queue:
        yield f"`{base}` merges by a queue, which tinytown does not use yet: add its pull requests to it by hand"
    elif not allowed:
        yield f"the settings and rules of `{base}` allow no way of merging: merge by hand"
    elif wanted and wanted not in allowed:
        ways = " or ".join(allowed)
        yield f'`{base}` does not allow `[policy] merge_method = "{wanted}"`: take {ways}, or leave it out'
    if rules.signatures:
        yield f"`{base}` takes signed commits only, and tinytown signs none: only squashing leaves none of them"
    if rules.approvals:
        people = "a person" if rules.approvals == 1 else f"{rules.approvals} people"
        yield f"`{base}` demands that {people} approve each change; what tinytown's own reviewer says does not count"
    if rules.code_owners:
        yield f"`{base}` demands that the owners of changed files (CODEOWNERS) approve"
    if unknown := [kind for kind in api.rules.kinds(place, base) if kind in _UNKNOWN]:
        yield f"rules of `{base}` ({', '.join(unknown)}) may keep tinytown from merging: then merge by hand"
    if rules.last_push_approval:
        yield f"`{base}` demands an approval of the last push by somebody other than the owner of the token"


def _of_checks(api: Api, place: Repository, tip: str) -> Iterator[str]:
    actions = Actions(api.rest, api.client)
    try:
        found = actions.has_workflows(place) or actions.check_runs(place, tip)
    except RateLimitError:
        raise
    except TinytownError:
        return  # What cannot be read is said above.
    if not found:
        yield (
            f"no CI was found in {place.full_name}: each change waits until you merge it by hand, unless you have run "
            "`tt config policy.require_checks false` before the mission starts"
        )


def _of_own_branches(api: Api, place: Repository) -> Iterator[str]:
    found = [kind for kind in api.rules.kinds(place, f"{BRANCH_PREFIX}any") if kind in _OWN_BRANCHES]
    if found:
        yield f"rules on GitHub ({', '.join(found)}) stand in the way of tinytown's branches `{BRANCH_PREFIX}…`"


def _of_contents(api: Api, place: Repository, tip: str) -> Iterator[str]:
    copy = api.copy(place)
    if copy.folder.exists() and copy.own.commit(tip) is not None:
        done = copy.own.run("grep", "-l", "-F", "filter=lfs", tip, "--", "*.gitattributes", ".gitattributes", ok=(0, 1))
        has_lfs, has_modules = (
            bool(done.stdout),
            copy.own.run("cat-file", "-e", f"{tip}:.gitmodules", ok=(0, 1, 128)).ok,
        )
    else:  # It is not fetched for a remark.
        has_lfs = b"filter=lfs" in (_file(api, place, tip, ".gitattributes") or b"")
        has_modules = _file(api, place, tip, ".gitmodules") is not None
    if has_lfs:
        yield "files of git-lfs are not fetched from GitHub: agents see their pointers, and cannot change such files"
    if has_modules:
        yield "submodules are not fetched from GitHub: agents see empty folders"


def _file(api: Api, place: Repository, tip: str, name: str) -> bytes | None:
    try:
        found = api.rest.read(name, f"{place.path}/contents/{name}", _File, ref=tip)
        return base64.b64decode(found.content)
    except RateLimitError:
        raise
    except (TinytownError, ValueError):
        return None  # It is not there, or no file; what cannot be told is no reason for a remark.
