"""GitHub Actions that really runs: the commands of a commit's workflow files, in a checkout of that commit.

Of a job its ``run`` steps count, in order; actions (``uses``) are passed over, as the checkout is there already.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from tests.fakes.github.models import Repo
from tests.fakes.github.objects import ENVIRONMENT
from tests.fakes.github.rules.workflows import JobPlan, Outcome, Reader, Workflow

_FOLDER = ".github/workflows/"
#: Seconds for all commands of a job.
_PATIENCE = 60


def read(repo: Repo, sha: str) -> None:
    """Take the workflows of a commit for the repository's."""
    repo.workflows.clear()
    for path in repo.bare.files(sha):
        if path.startswith(_FOLDER):
            said = yaml.safe_load(repo.bare.show(sha, path) or "")
            # YAML reads the word `on` as a truth value.
            events = said.get("on", said.get(True))
            jobs = {name: _plan(job) for name, job in said["jobs"].items()}
            name = said.get("name", path)
            on = (events,) if isinstance(events, str) else tuple(events)
            repo.workflows[name] = Workflow(name, jobs, on=on, file=path)


def _plan(job: dict[str, Any]) -> JobPlan:
    needs = job.get("needs", ())
    commands = [step["run"] for step in job["steps"] if "run" in step]
    names = (needs,) if isinstance(needs, str) else tuple(needs)
    return JobPlan(_running(commands), needs=names, step=f"Run {commands[-1].splitlines()[0]}")


def _running(commands: Sequence[str]) -> Callable[[Reader], Outcome]:
    def run(commit: Reader) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="actions-") as folder:
            archive = ["git", "archive", commit.sha]
            packed = subprocess.run(
                archive, cwd=commit.bare.path, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True, timeout=_PATIENCE
            )
            subprocess.run(["tar", "-x"], cwd=folder, input=packed.stdout, check=True, timeout=_PATIENCE)
            done = subprocess.run(
                ["bash", "-e", "-c", "\n".join(commands)],
                cwd=folder, env={"PATH": os.environ["PATH"], "HOME": folder}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_PATIENCE,
            )  # fmt: skip
        if done.returncode == 0:
            return "success", done.stdout
        return "failure", f"{done.stdout}Error: Process completed with exit code {done.returncode}.\n"

    return run
