"""Check runs, suites, statuses, and the runs and jobs of Actions."""

from __future__ import annotations

from tests.fakes.github.clock import stamp
from tests.fakes.github.models import Repo
from tests.fakes.github.results import CheckRun, Job, Run, Status, Suite
from tests.fakes.github.rules import checking
from tests.fakes.github.shapes.repos import Json, app, head_commit, small_repo, user
from tests.fakes.github.world import World


def _pulls(world: World, repo: Repo, sha: str) -> list[Json]:
    def end(ref: str, at: str) -> Json:
        url = f"{world.api}/repos/{repo.name}"
        return {"ref": ref, "sha": at, "repo": {"id": repo.id, "url": url, "name": repo.name.partition("/")[2]}}

    return [
        {
            "url": f"{world.api}/repos/{repo.name}/pulls/{one.number}", "id": one.id, "number": one.number,
            "head": end(one.head, one.head_sha), "base": end(one.base, one.base_sha),
        }
        for one in repo.pulls
        if one.head_sha == sha and one.state == "open"
    ]  # fmt: skip


def check(world: World, repo: Repo, one: CheckRun) -> Json:
    at = f"{world.api}/repos/{repo.name}/check-runs/{one.id}"
    page = f"{world.web}/{repo.name}/runs/{one.id}"
    return {
        "id": one.id, "name": one.name, "node_id": one.node_id, "head_sha": one.sha, "external_id": one.external_id,
        "url": at, "html_url": page, "details_url": one.details or page, "status": one.status,
        "conclusion": one.conclusion, "started_at": stamp(one.started), "completed_at": stamp(one.completed),
        "output": {
            "title": one.title, "summary": one.summary, "text": one.text,
            "annotations_count": len(one.annotations), "annotations_url": f"{at}/annotations",
        },
        "check_suite": {"id": one.suite.id}, "app": app(world, one.app), "pull_requests": _pulls(world, repo, one.sha),
    }  # fmt: skip


def annotation(world: World, repo: Repo, one: Json, sha: str) -> Json:
    return {
        "path": one["path"], "blob_href": f"{world.web}/{repo.name}/blob/{sha}/{one['path']}",
        "start_line": one["line"], "end_line": one["line"], "start_column": None, "end_column": None,
        "annotation_level": one.get("level", "failure"), "title": one.get("title"), "message": one["message"],
        "raw_details": None,
    }  # fmt: skip


def suite(world: World, repo: Repo, one: Suite) -> Json:
    at = f"{world.api}/repos/{repo.name}/check-suites/{one.id}"
    status, conclusion = checking.of_suite(repo, one)
    return {
        "id": one.id, "node_id": one.node_id, "head_branch": one.branch, "head_sha": one.sha, "status": status,
        "conclusion": conclusion, "url": at, "before": None, "after": one.sha, "created_at": stamp(one.at),
        "updated_at": stamp(one.at), "rerequestable": True, "runs_rerequestable": False,
        "latest_check_runs_count": sum(run.suite is one for run in repo.checks), "check_runs_url": f"{at}/check-runs",
        "head_commit": head_commit(repo, one.sha), "repository": small_repo(world, repo), "app": app(world, one.app),
        "pull_requests": _pulls(world, repo, one.sha),
    }  # fmt: skip


def small_status(world: World, repo: Repo, one: Status) -> Json:
    return {
        "url": f"{world.api}/repos/{repo.name}/statuses/{one.sha}",
        "avatar_url": f"{world.web}/avatars/u/{one.creator.id}", "id": one.id, "node_id": one.node_id,
        "state": one.state, "description": one.description, "target_url": one.target, "context": one.context,
        "created_at": stamp(one.at), "updated_at": stamp(one.at),
    }  # fmt: skip


def status(world: World, repo: Repo, one: Status) -> Json:
    return small_status(world, repo, one) | {"creator": user(world, one.creator)}


def combined(world: World, repo: Repo, sha: str, latest: list[Status], shown: list[Json]) -> Json:
    """All statuses in one; without any it is pending."""
    at = f"{world.api}/repos/{repo.name}/commits/{sha}"
    return {
        "state": checking.combined(latest), "statuses": shown, "sha": sha, "total_count": len(latest),
        "repository": small_repo(world, repo), "commit_url": at, "url": f"{at}/status",
    }  # fmt: skip


# -- Actions -------------------------------------------------------------------------------------


def run(world: World, repo: Repo, one: Run) -> Json:
    at = f"{world.api}/repos/{repo.name}/actions/runs/{one.id}"
    workflow = sum(one.workflow.encode()) + 50_000
    who = user(world, one.actor)
    return {
        "id": one.id, "name": one.workflow, "node_id": one.node_id, "head_branch": one.branch, "head_sha": one.sha,
        "path": one.file, "display_title": one.workflow, "run_number": one.number, "event": one.event,
        "status": one.status, "conclusion": one.conclusion, "workflow_id": workflow,
        "check_suite_id": one.suite.id, "check_suite_node_id": one.suite.node_id, "url": at,
        "html_url": f"{world.web}/{repo.name}/actions/runs/{one.id}", "pull_requests": _pulls(world, repo, one.sha),
        "created_at": stamp(one.created), "updated_at": stamp(one.updated or one.created), "actor": who,
        "triggering_actor": who, "run_attempt": one.attempt, "referenced_workflows": [],
        "run_started_at": stamp(one.created), "jobs_url": f"{at}/jobs", "logs_url": f"{at}/logs",
        "check_suite_url": f"{world.api}/repos/{repo.name}/check-suites/{one.suite.id}",
        "artifacts_url": f"{at}/artifacts", "cancel_url": f"{at}/cancel", "rerun_url": f"{at}/rerun",
        "previous_attempt_url": f"{at}/attempts/{one.attempt - 1}" if one.attempt > 1 else None,
        "workflow_url": f"{world.api}/repos/{repo.name}/actions/workflows/{workflow}",
        "head_commit": head_commit(repo, one.sha), "repository": small_repo(world, repo),
        "head_repository": small_repo(world, repo),
    }  # fmt: skip


def job(world: World, repo: Repo, one: Job) -> Json:
    check = one.check
    at = f"{world.api}/repos/{repo.name}/actions"
    started, done = stamp(check.started), stamp(check.completed)
    return {
        "id": check.id, "run_id": one.run.id, "workflow_name": one.run.workflow, "head_branch": one.run.branch,
        "run_url": f"{at}/runs/{one.run.id}", "run_attempt": one.attempt, "node_id": check.node_id,
        "head_sha": check.sha, "url": f"{at}/jobs/{check.id}",
        "html_url": f"{world.web}/{repo.name}/actions/runs/{one.run.id}/job/{check.id}", "status": check.status,
        "conclusion": check.conclusion, "created_at": stamp(one.run.created),
        "started_at": started or stamp(one.run.created), "completed_at": done, "name": check.name,
        "steps": [
            {
                "name": name, "status": "completed" if ended else "in_progress", "conclusion": ended, "number": number,
                "started_at": started, "completed_at": done if ended else None,
            }
            for number, (name, ended) in enumerate(one.steps, 1)
        ],
        "check_run_url": f"{world.api}/repos/{repo.name}/check-runs/{check.id}", "labels": ["ubuntu-latest"],
        "runner_id": 1, "runner_name": "GitHub Actions 1", "runner_group_id": 0, "runner_group_name": "GitHub Actions",
    }  # fmt: skip
