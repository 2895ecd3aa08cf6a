"""What people, apps and CI do on this GitHub, in a test's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.fakes.github.models import Comment, Issue, Protection, Pull, Repo, Review, Thread
from tests.fakes.github.objects import NOTHING
from tests.fakes.github.people import ACTIONS, Token
from tests.fakes.github.rest import pulls
from tests.fakes.github.results import CheckRun, Status
from tests.fakes.github.rules import branches, merging, reporting, reviewing, runner, workflows
from tests.fakes.github.world import World

#: Who does what nobody is named for.
SOMEBODY = "ann"


class Story:
    """See the module. A change is named by its number, the newest one if none is given."""

    def __init__(self, world: World, repo: Repo) -> None:
        self.world = world
        self.repo = repo
        self.person(SOMEBODY)

    # -- people and repositories ---------------------------------------------------------------

    def person(self, login: str, permission: str = "write", *, repo: str = "") -> None:
        """Somebody with a role in the repository: admin, maintain, write, triage, read or none."""
        who = self.world.user(login)
        if who.kind == "Organization":
            who.kind = "User"  # A repository's owner is one until somebody else is told.
        self._repo(repo).people[login.lower()] = permission

    def token(self, login: str, *, value: str = "", kind: str = "classic", **rights: Any) -> str:
        """A token of somebody; ``scopes`` or ``permissions`` as its kind has them."""
        made: Token = self.world.token(login, value=value, kind=kind, **rights)
        return made.value

    def revoke(self, token: str) -> None:
        """The token is nobody's any more."""
        del self.world.tokens[token]

    def _repo(self, name: str) -> Repo:
        return self.world.repo(name) if name else self.repo

    def at(self, name: str) -> Story:
        """The same, about another repository, which is made if there is none."""
        other = Story.__new__(Story)
        other.world, other.repo = self.world, self.world.repo(name)
        other.person(SOMEBODY)
        return other

    def rename(self, name: str) -> None:
        """Call the repository something else; its old name leads there."""
        with self.world.lock:
            self.world.rename(self.repo, name)

    def clone_url(self) -> str:
        return f"{self.world.web}/{self.repo.name}.git"

    # -- issues --------------------------------------------------------------------------------

    def issue(self, number: int | str, title: str = "An issue", body: str | None = "", **said: Any) -> Issue:
        """Make, or change, an issue, which may be elsewhere (``octo/lib#7``).

        Keywords: author (``None`` if the account was deleted), labels, state, reason, comments, summary, and
        blocked_by (issues, or their keys). What is not named stays as it is; comments are all that there are then.
        """
        if isinstance(number, str):
            name, _, own = number.partition("#")
            return self.at(name).issue(int(own), title, body, **said)
        with self.world.lock:
            now = self.world.clock.now()
            known = self.repo.issues.get(number)
            author = known.author if known else self.world.user(SOMEBODY)
            if "author" in said:
                login = said.pop("author")
                author = self.world.user(login) if login else None
            if known is None:
                known = Issue(self.repo, self.world.number(), number, title, body, author, now, now)
                self.world.add_issue(self.repo, known)
            known.title, known.body, known.author, known.updated = title, body, author, now
            known.labels = list(said.pop("labels", known.labels))
            if "comments" in said:
                known.comments.clear()
            for who, text in said.pop("comments", ()):
                self._say(known, who, text)
            known.blocked_by = [self._named(one) for one in said.pop("blocked_by", known.blocked_by)]
            state = said.pop("state", "open")
            known.state, known.reason = state, said.pop("reason", None)
            known.closed = now if state == "closed" else None
            for name, value in said.items():
                setattr(known, name, value)
            return known

    def _named(self, issue: Issue | str) -> Issue:
        if isinstance(issue, Issue):
            return issue
        name, _, number = issue.partition("#")
        return self.world.repo(name).issues[int(number)]

    def comment(self, who: str, number: int, body: str) -> Comment:
        """Somebody says something below an issue or a pull request."""
        with self.world.lock:
            return self._say(self.repo.issues[number], who, body)

    def _say(self, issue: Issue, who: str, body: str) -> Comment:
        now = self.world.clock.now()
        made = Comment(self.world.number(), self.world.user(who), body, now, now)
        issue.comments.append(made)
        issue.updated = now
        self.world.know(made)
        return made

    def close_issue(self, number: int, reason: str = "completed", *, by: str = SOMEBODY) -> None:
        with self.world.lock:
            branches.close(self.world, self.repo.issues[number], self.world.user(by), reason)

    def transfer(self, number: int, to: str, new: int) -> Issue:
        """The issue is in another repository from now on."""
        with self.world.lock:
            issue = self.repo.issues.pop(number)
            there = self.world.repo(to)
            self.repo.transferred[number] = issue
            issue.repo, issue.number = there, new
            self.world.add_issue(there, issue)
            return issue

    def delete_issue(self, number: int) -> None:
        with self.world.lock:
            del self.repo.issues[number]
            self.repo.deleted.add(number)

    # -- branches ------------------------------------------------------------------------------

    def tip(self, branch: str = "") -> str:
        """The commit of a branch; empty if there is none."""
        return self.repo.bare.tip(branch or self.repo.default) or ""

    def push_by(
        self, who: str, branch: str, files: Mapping[str, str | None], message: str = "Work", *, on: str | None = None
    ) -> str:
        """Somebody pushes a commit; a branch that is not there begins at ``on``, or at the default branch."""
        with self.world.lock:
            bare = self.repo.bare
            before = bare.tip(branch)
            start = on or before or bare.tip(self.repo.default)
            sha = bare.write(branch, files, message, on=start, author=who, at=self.world.clock.now())
            branches.moved(self.world, self.repo, branch, before or NOTHING, sha, self.world.user(who))
            return sha

    def force_push(self, who: str, branch: str, sha: str) -> None:
        """Somebody moves a branch to whatever commit."""
        with self.world.lock:
            before = self.tip(branch)
            self.repo.bare.move(branch, sha)
            branches.moved(self.world, self.repo, branch, before, sha, self.world.user(who))

    def delete_branch(self, branch: str, *, by: str = SOMEBODY) -> None:
        with self.world.lock:
            before = self.tip(branch)
            self.repo.bare.move(branch, None)
            branches.moved(self.world, self.repo, branch, before, NOTHING, self.world.user(by))

    def protect(self, branch: str = "main", **demands: Any) -> None:
        """Protect a branch; keywords are those of ``Protection``. A check is a name, or a name and an app."""
        with self.world.lock:
            checks = tuple(
                (one, None) if isinstance(one, str) else (one[0], self.world.app(one[1]).id)
                for one in demands.pop("checks", ())
            )
            self.repo.protections[branch] = replace(Protection(**demands), checks=checks)

    def rule(self, branch: str, kind: str, **parameters: Any) -> None:
        """A rule of a ruleset for a branch, as ``required_status_checks``."""
        made: dict[str, Any] = {"type": kind, "ruleset_source_type": "Repository", "ruleset_id": 42}
        made["ruleset_source"] = self.repo.name
        if parameters:
            made["parameters"] = parameters
        self.repo.rules.setdefault(branch, []).append(made)

    # -- pull requests -------------------------------------------------------------------------

    def pull(self, number: int | None = None) -> Pull:
        """A pull request as it is now."""
        known = self.repo.pulls
        return self.repo.by_number(number) if number is not None else known[-1]

    def open_pull(
        self, who: str, head: str, title: str = "A change", body: str = "", *, base: str = "", draft: bool = False
    ) -> Pull:
        with self.world.lock:
            return pulls.opened(
                self.world, self.repo, head, base or self.repo.default, title=title, body=body, by=self.world.user(who),
                draft=draft,
            )  # fmt: skip

    def close_pull(self, number: int | None = None, *, by: str = SOMEBODY) -> None:
        with self.world.lock:
            branches.close(self.world, self.pull(number), self.world.user(by))

    def reopen_pull(self, number: int | None = None) -> None:
        """Somebody opens it again."""
        with self.world.lock:
            pulls.reopen(self.repo, self.pull(number))

    def merge_by(self, who: str, number: int | None = None, method: str = "merge") -> str:
        """Somebody merges it; gives the commit of the base that holds it."""
        with self.world.lock:
            return branches.merge(self.world, self.pull(number), method, self.world.user(who))

    def mergeability_takes(self, times: int, number: int | None = None) -> None:
        """It will be said so many times that it is not known yet whether the change can be merged."""
        with self.world.lock:
            merging.changed(self.pull(number), times=times)

    def test_merge(self, number: int | None = None) -> str:
        """The commit by which GitHub tests the merge, as `refs/pull/N/merge`; empty where it conflicts."""
        with self.world.lock:
            merging.state(self.world, self.pull(number))
            return self.pull(number).merge_sha or ""

    # -- what is reported ----------------------------------------------------------------------

    def check(
        self,
        name: str,
        conclusion: str | None = None,
        *,
        pull: int | None = None,
        sha: str = "",
        app: str = ACTIONS,
        **said: Any,
    ) -> CheckRun:
        """A new check run; without a conclusion it is still running (or ``status="queued"``).

        Keywords: log, workflow and beside (another check of the same run) of Actions, title, summary, text, details,
        annotations, started.
        """
        with self.world.lock:
            at = sha or self.pull(pull).head_sha
            return reporting.check(self.world, self.repo, at, name, conclusion, slug=app, **said)

    def finish(self, check: CheckRun, conclusion: str) -> None:
        """A check run that was still running ends."""
        with self.world.lock:
            reporting.update(self.world, self.repo, check, conclusion=conclusion)

    def status(
        self,
        context: str,
        state: str,
        description: str = "",
        *,
        by: str = "ci[bot]",
        pull: int | None = None,
        sha: str = "",
    ) -> Status:
        """A commit status: error, failure, pending or success."""
        with self.world.lock:
            at = sha or self.pull(pull).head_sha
            who = self.world.user(by)
            return reporting.status(self.world, self.repo, at, context, state, by=who, description=description)

    def workflow(self, name: str, jobs: Mapping[str, Any], **said: Any) -> None:
        """CI that runs by itself: each job with its conclusion, a ``JobPlan``, or a function of the files.

        Keywords are those of ``Workflow``: on, takes, approval, cancels.
        """
        plans = {
            job: one if isinstance(one, workflows.JobPlan) else workflows.JobPlan(one) for job, one in jobs.items()
        }  # fmt: skip
        self.repo.workflows[name] = workflows.Workflow(name, plans, **said)

    def runs_workflow_files(self) -> None:
        """From now on CI is what the workflow files of each commit say, and their commands are run."""
        self.repo.read_workflows = runner.read

    def approve_runs(self, pull: int | None = None) -> None:
        """A person lets the runs go that wait for it."""
        with self.world.lock:
            head = self.pull(pull).head_sha
            for run in self.repo.runs:
                if run.sha == head and run.conclusion == "action_required":
                    run.status, run.conclusion = "queued", None
                    workflows.go_on(self.world, self.repo, run)

    def review(self, who: str, state: str, body: str = "", *, pull: int | None = None) -> Review:
        """APPROVED, CHANGES_REQUESTED or COMMENTED, by somebody or a bot."""
        events = {"APPROVED": "APPROVE", "CHANGES_REQUESTED": "REQUEST_CHANGES", "COMMENTED": "COMMENT"}
        with self.world.lock:
            on = self.pull(pull)
            words = body or ("Please change it." if state == "CHANGES_REQUESTED" else "")
            return reviewing.review(self.world, on, self.world.user(who), events[state], words)

    def dismiss(self, review: Review) -> None:
        review.state = "DISMISSED"

    def thread(self, who: str, path: str, line: int, body: str, *, pull: int | None = None) -> Thread:
        """Somebody begins a conversation about a line."""
        with self.world.lock:
            on = self.pull(pull)
            made = reviewing.review(self.world, on, self.world.user(who), "COMMENT", "")
            return reviewing.begin(self.world, on, made, path, line, body)

    def reply(self, who: str, thread: Thread, body: str) -> None:
        with self.world.lock:
            reviewing.reply(self.world, thread, self.world.user(who), body)

    def resolve(self, who: str, thread: Thread) -> None:
        thread.resolved_by = self.world.user(who)
