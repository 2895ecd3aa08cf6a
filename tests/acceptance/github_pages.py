"""The GitHub of a page that works on one: its address leads to this machine, and a person opens the issues it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.github.hub import GitHub

REPO = "you/auth"
WEB = "https://github.com"
ADDRESS = f"{WEB}/{REPO}"
TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "github.md"
_ISSUE = re.compile(r"^\*\*Issue #(\d+): ([^\n]+)\*\*\n\n```markdown\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END$", re.DOTALL | re.MULTILINE)


def standing(github: GitHub) -> list[str]:
    """The lines that a person can read there, of pull requests and beside their commits."""
    texts = [f"{one.context}: {one.description}" for one in github.repo.statuses]
    for pull in github.repo.pulls:
        said = (one.body for thread in pull.threads for one in thread.comments)
        texts += [pull.body or "", *(one.body for one in pull.reviews), *(one.body for one in pull.comments), *said]
    return [line for text in texts for line in text.splitlines()]


@contextmanager
def played(folder: Path, page: str) -> Iterator[tuple[GitHub, Mapping[str, str]]]:
    """The GitHub, and the variables by which git and ``tt`` find it; nothing waits there as long as it would.

    Its repository is the tutorial's: as that begins, for the tutorial itself; for other pages, with its CI.
    """
    text = TUTORIAL.read_text(encoding="utf-8")
    github = GitHub(folder / "github", REPO)
    github.person("you", "admin")
    github.runs_workflow_files()
    for number, title, body in _ISSUE.findall(text):
        github.issue(int(number), title, body, author="you")
    if text != page:
        github.push_by("you", "main", dict(_FILE.findall(text)))
    token = github.token("you")
    settings = folder / "gitconfig"
    settings.write_text(
        f'[url "{github.web}/"]\n\tinsteadOf = {WEB}/\n'
        f"[credential]\n\thelper = \"!printf 'username=you\\npassword={token}\\n' #\"\n",
        encoding="utf-8",
    )
    with github.running():
        yield (
            github,
            {
                "GIT_CONFIG_GLOBAL": str(settings),
                "GH_TOKEN": token,
                "TINYTOWN_FORGE__BASE_URL": github.base_url,
                "TINYTOWN_POLICY__CHECKS_APPEAR_SECS": "0.1",
                "TINYTOWN_POLICY__WATCH_INTERVAL_SECS": "1",
                "TINYTOWN_TIMING__TICK_SECS": "1",
            },
        )
