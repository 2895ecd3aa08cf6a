"""The local forge: issues are files, a change is a branch, a merge is a real merge in the user's repository.

With it everything works without GitHub. Repositories are named ``local/<slug>``: the town's own, and those under
``[forge.local.repos]``, each a work tree with its own ``issues/``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from tinytown import files, keys
from tinytown.errors import BaseGoneError, ConfigurationError, NotFoundError, StateError
from tinytown.forge import contents, copies, fitness, landed, mirror, submodules
from tinytown.forge.contract import Change, IssueState, MergeResult, Published, RunChecks, Seen
from tinytown.forge.hub import beside
from tinytown.forge.local import base as base_branch
from tinytown.forge.local import issue_files
from tinytown.git import merge as merging
from tinytown.git import unsafe_paths
from tinytown.git.repository import BRANCH_PREFIX, Git, GitError, branch_ref, is_sha, require_merge_tree
from tinytown.missions.records.issue import Issue
from tinytown.town import Town

#: Seconds a merge waits for the one before it, beyond the time that its checks may take.
LEASE_MARGIN = 60.0
#: Most characters of a title in a merge's message.
TITLE_LIMIT = 120

_REFERENCE = re.compile(r"(?:(?:local/)?(?P<repo>[A-Za-z0-9][A-Za-z0-9._-]*)#|#?)(?P<number>[1-9][0-9]{0,8})")
#: Characters that move the cursor, end the line or turn the direction of the text.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


class LocalForge:
    """See ``Forge`` for the contract of each method."""

    kind = "local"

    def __init__(self, town: Town) -> None:
        self._town = town
        self._settings = town.settings.forge
        slug = self._settings.repo or keys.slug(town.root.name) or "repo"
        self._slug = slug.removeprefix(f"{keys.LOCAL}/")
        if keys.slug(self._slug) != self._slug:
            raise ConfigurationError(
                f"`forge.repo` is {slug!r}, which is not a valid name for a local repository",
                remedy=f'write `repo = "{keys.slug(self._slug) or "repo"}"`',
            )
        if self._slug in self._settings.local.repos:
            raise ConfigurationError(
                f"[forge.local.repos] names {self._slug}, which is the town's own repository",
                remedy="give the other one another name",
            )
        #: Changes that their base did not hold, each with the tip of the base at which that was last found.
        self._not_in: dict[tuple[str, str, str], str] = {}

    @property
    def repo(self) -> str:
        return f"{keys.LOCAL}/{self._slug}"

    # -- issues ------------------------------------------------------------------------------------

    def issue_key(self, reference: str) -> str:
        found = _REFERENCE.fullmatch(reference.strip())
        if not found:
            raise ConfigurationError(
                f"{reference[:80]!r} is not an issue of this repository",
                remedy=f"write its number, e.g. `2` for issues/2.md, or `{keys.LOCAL}/NAME#2`",
            )
        repo = f"{keys.LOCAL}/{found['repo']}" if found["repo"] else self.repo
        try:
            self._root(repo)
        except NotFoundError as error:
            raise ConfigurationError(error.message, remedy=error.remedy) from None
        return f"{repo}#{int(found['number'])}"

    def issue(self, key: str) -> Issue:
        parts = keys.parse(key)
        if parts.kind != "local":
            raise NotFoundError(f"{key} is not an issue of the local forge", remedy="use a key like `local/repo#2`")
        read = issue_files.read(self._folder(parts.repo), parts.number)
        return Issue(
            key=str(parts),
            number=parts.number,
            title=read.title,
            body=read.body,
            labels=read.labels,
            state=read.state,
            url=f"{issue_files.FOLDER}/{parts.number}.md",
            blocked_by=tuple(self._blocker(parts, blocker) for blocker in read.blocked_by),
            shifts=read.shifts,
        )

    def open_issues(self) -> Sequence[str]:
        found = [f"{self.repo}#{number}" for number in issue_files.numbers(self._folder(self.repo))]
        return [key for key in found if self.issue(key).state == "open"]

    def issue_state(self, key: str) -> IssueState:
        try:
            return self.issue(key).state
        except (NotFoundError, ConfigurationError):
            return "unknown"

    def _blocker(self, issue: keys.Key, blocker: int | str) -> str:
        if isinstance(blocker, int):
            return f"{issue.repo}#{blocker}"
        try:
            return str(keys.parse(blocker))
        except ConfigurationError as error:
            where = f"{issue_files.FOLDER}/{issue.number}.md"
            raise ConfigurationError(f"{where}: `blocked_by`: {error.message}", remedy=error.remedy) from None

    # -- the repository ----------------------------------------------------------------------------

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:
        repo = repo or self.repo
        root = self._root(repo)
        if self._settings.checks_of(repo) is None:
            raise StateError(
                "`forge.local.checks` is not set",
                remedy='set it in tinytown.toml, e.g. checks = ["make test"], or [] for none',
            )
        require_merge_tree()
        users = self._users(repo)
        head = users.run("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).stdout.strip()
        if users.commit("HEAD") is None:
            raise StateError(f"{root} has no commits yet", remedy='run `git commit --allow-empty -m "Begin"`')
        if not head:
            raise StateError(f"{root} has a detached HEAD", remedy=f"run `git switch {base}`")
        self.base_tip(repo, base)
        fitness.require_whole(users, list(users.refs("refs/heads").values()))
        submodules.require(users, root, self.base_tip(repo, base), left_out=submodules.inactive(users))
        if self._town.settings.hub.url:
            beside.require_plain(users, root, self.base_tip(repo, base))
        fitness.require_folders(self._town)
        if users.commit(f"refs/heads/{BRANCH_PREFIX.rstrip('/')}"):
            raise StateError(
                "a branch named `tt` blocks tinytown's branches `tt/…`",
                remedy="rename it: `git branch -m tt NAME`",
            )
        if why := base_branch.operation(users, base):
            raise StateError(why, remedy="finish or abort that, then start again")
        remarks = list(contents.remarks(users, root, self.base_tip(repo, base)))
        remarks += copies.remarks(root, self._town.settings.workspace.copy)
        if dirt := base_branch.dirt(users, base):
            remarks.append(f"{dirt}: agents do not see them, and a merge that touches them waits")
        return remarks

    def base_tip(self, repo: str, base: str) -> str:
        tip = base_branch.tip(self._users(repo), base)
        if tip is None:
            raise BaseGoneError(
                f"{repo} has no branch `{base}`", remedy="create it, or set `forge.base` in tinytown.toml"
            )
        return tip

    def mirror(self, repo: str) -> Path:
        root = self._root(repo)
        return mirror.update(self._users(repo), root.resolve(), self._town.mirrors / f"{self._name(repo)}.git")

    def start_warnings(self) -> Sequence[str]:
        if self._settings.local.checks:
            return ()
        return ("no checks are configured (`[forge.local] checks`): merges rest on review alone",)

    # -- changes -----------------------------------------------------------------------------------

    def publish(self, repo: str, change: Change) -> Published:
        ref = branch_ref(change.branch, ours=True)
        users = self._users(repo)
        if not is_sha(change.head):
            raise ConfigurationError(f"{change.head[:80]!r} is not a commit", remedy="publish a full object name")
        # A repeated or late call finds that its head, or a newer one, is there already.
        if self._holds(users, ref, change.head):
            return Published(change.branch)
        try:
            self._bring(users, repo, change.head, f"{change.head}:{ref}")
        except GitError as error:
            if self._holds(users, ref, change.head):
                return Published(change.branch)
            if "checked out at" in error.stderr:
                raise StateError(
                    f"`{change.branch}` is checked out in your repository", remedy="switch to another branch"
                ) from None
            if "non-fast-forward" in error.stderr or "[rejected]" in error.stderr:
                raise StateError(
                    f"`{change.branch}` in your repository has its own commits",
                    remedy=f"keep them under another name: `git branch -m {change.branch} NAME`",
                ) from None
            raise
        return Published(change.branch)

    def merge(self, repo: str, change: Change, *, checked_tree: str | None, checks: RunChecks | None) -> MergeResult:
        lease = self._town.state / "leases" / f"{self._name(repo)}-{quote(change.base, safe='')}.lock"
        lease.parent.mkdir(parents=True, exist_ok=True)
        wait = LEASE_MARGIN + self._settings.local.check_timeout
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(files.locked(lease, timeout=wait, what=f"merging into {change.base}"))
            except StateError as error:
                return MergeResult("base_moved", details=error.message)
            return self._merge(repo, change, checked_tree=checked_tree, checks=checks)

    def _merge(self, repo: str, change: Change, *, checked_tree: str | None, checks: RunChecks | None) -> MergeResult:
        users = self._users(repo)
        folder = self.mirror(repo)
        own = Git.own(folder)
        tip = base_branch.tip(own, change.base)
        if tip is None:
            return MergeResult("gone", details=f"{repo} has no branch `{change.base}`")
        if own.commit(change.head) is None:
            raise StateError(
                f"the work {change.head} is not on this machine", remedy="retry on the machine that has it"
            )
        if own.is_ancestor(change.head, tip):
            return MergeResult("merged", sha=landed.holder(own, change.head, tip))
        if why := base_branch.operation(users, change.base):
            return MergeResult("base_dirty", details=why)
        merged = merging.merge(folder, tip, change.head, rules=tip)
        # A person may have brought it there in another way.
        suspect = merged.conflicts or merged.tree == own.tree(tip)
        if suspect and (there := landed.find(folder, change.head, tip)):
            return MergeResult("merged", sha=there)
        if merged.conflicts:
            return MergeResult("conflict", details="\n".join([*merged.conflicts, *map(_undriven, merged.undriven)]))
        if bad := unsafe_paths.of_merge(own, tip, merged.tree, change.head):
            return MergeResult("check_failed", details="\n".join(["Merged, it would bring what is not taken:", *bad]))
        message = _message(change)
        sha = own.commit_tree(merged.tree, [tip, change.head], message)
        # Checked before the checks run, which may take long, and again when the base advances.
        if why := base_branch.dirt(users, change.base, touched=base_branch.touched(own, tip, sha)):
            return MergeResult("base_dirty", details=why)
        if checks and merged.tree != checked_tree:
            verdict = checks(folder, sha)
            if not verdict.passed or verdict.sha != sha:
                return MergeResult("check_failed", details=verdict.details or verdict.why)
        self._bring(users, repo, sha, sha)
        reason = f"tinytown: {message.splitlines()[0]}"
        advance = base_branch.advance(users, change.base, old=tip, new=sha, reason=reason)
        if advance.status == "done":
            return MergeResult("merged", sha=sha, details="; ".join(map(_undriven, merged.undriven)))
        return MergeResult("base_moved" if advance.status == "moved" else "base_dirty", details=advance.why)

    def observe(self, repo: str, change: Change) -> Seen:
        if sha := self.merged_sha(repo, change):
            return Seen("merged", sha=sha)
        head = self._users(repo).commit(branch_ref(change.branch, ours=True))
        return Seen("gone" if head is None else "open", head=head)

    def merged_sha(self, repo: str, change: Change) -> str | None:
        """The base's commit that brought ``change.head`` or its content, however that was done, or ``None``."""
        # The mirror keeps the change when its branch is gone from the repository.
        folder = self.mirror(repo)
        own = Git.own(folder)
        tip = base_branch.tip(own, change.base)
        if tip is None or own.commit(change.head) is None:
            return None
        looked_at = self._not_in.get((repo, change.base, change.head))
        if looked_at == tip:
            return None
        found = landed.find(folder, change.head, tip, looked_at=looked_at)
        if found is None:
            self._not_in[repo, change.base, change.head] = tip
        return found

    def resembling(self, repo: str, change: Change) -> str | None:
        folder = self.mirror(repo)
        own = Git.own(folder)
        tip = base_branch.tip(own, change.base)
        return landed.resembling(folder, change.head, tip) if tip is not None and own.commit(change.head) else None

    def on_base(self, repo: str, change: Change, revision: str) -> str | None:
        own = Git.own(self.mirror(repo))
        tip = base_branch.tip(own, change.base)
        done = own.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", ok=(0, 1, 128))
        sha = done.stdout.strip()
        return sha if tip is not None and done.ok and own.is_ancestor(sha, tip) else None

    # -- inside ------------------------------------------------------------------------------------

    def _holds(self, users: Git, ref: str, head: str) -> bool:
        present = users.commit(ref)
        return present is not None and users.commit(head) is not None and users.is_ancestor(head, present)

    def _bring(self, users: Git, repo: str, sha: str, refspec: str) -> None:
        """Fetch from the mirror into the user's repository, which changes nothing there but objects and the ref."""
        folder = self._town.mirrors / f"{self._name(repo)}.git"
        if refspec == sha and users.commit(sha):
            return
        # The LFS contents first, or a checkout would hold nothing but pointers.
        contents.hand_over(folder, contents.of_mirror(folder).store, sha)
        # Agents made these objects, so git checks them once more.
        users.run(
            "-c", "transfer.fsckObjects=true", "fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", "--no-prune", "--update-shallow", "--", str(folder), refspec,
        )  # fmt: skip

    def _name(self, repo: str) -> str:
        return repo.removeprefix(f"{keys.LOCAL}/")

    def _root(self, repo: str) -> Path:
        """The work tree of a repository; raises ``NotFoundError`` for a name that nobody configured."""
        name = self._name(repo)
        if repo.lower() == self.repo:
            return self._town.root
        further = self._settings.local.repos.get(name)
        if further is None or not repo.startswith(f"{keys.LOCAL}/"):
            raise NotFoundError(
                f"no repository is named {repo}", remedy=f'add `{name} = "path"` to [forge.local.repos]'
            )
        return (self._town.root / Path(further.path).expanduser()).resolve()

    def _folder(self, repo: str) -> Path:
        """The work tree of a repository; raises ``StateError`` if there is no such folder."""
        root = self._root(repo)
        if not root.is_dir():
            raise StateError(f"{root} does not exist", remedy="correct its path in [forge.local.repos]")
        return root

    def _users(self, repo: str) -> Git:
        """The user's repository; raises ``StateError`` if the folder is none."""
        root = self._folder(repo)
        users = Git.users(root)
        # In one call, because each call runs a program; the path is asked for last, as it may hold any character.
        where = ("--is-inside-work-tree", "--show-cdup", "--path-format=absolute", "--git-common-dir")
        done = users.run("rev-parse", *where, ok=(0, 128))
        inside, _, rest = done.stdout.partition("\n")
        above, _, common = rest.partition("\n")
        # A folder within a repository is not one of its own.
        if inside == "true" and (not above or repo.lower() == self.repo):
            users.common = Path(common.removesuffix("\n"))
            return users
        if "dubious ownership" in done.stderr:
            raise StateError(
                f"git does not trust {root}, which belongs to another user",
                remedy=f"run `git config --global --add safe.directory {root}`",
            )
        if unknown := fitness.unreadable(done.stderr):
            raise unknown
        raise StateError(f"{root} is not the top of a git repository", remedy="run `git init` there, and commit")


def _undriven(file: str) -> str:
    return f"{file}: tinytown only runs git's own merge drivers, so it was merged as text"


def _message(change: Change) -> str:
    """A merge's message. The title comes from outside: one line, no control characters."""
    title = " ".join(_UNSAFE.sub(" ", change.title).split())[:TITLE_LIMIT]
    return f"Merge {change.key}: {title}\n\nBranch: {change.branch}\n"
