"""CLIs that have no driver and need none, as ``docs/how-to/add-an-agent-cli.md`` configures them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.fakes.model_server import model_server
from tests.vendors.services import KEY, require
from tests.vendors.test_real_clis import CLOSING, COMMAND, ISSUES, PATIENCE

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-agent-cli.md"
#: It reviews by a command, which does nothing in other runs; the last one is how an agent of mini's ends its run, if
#: nothing is printed before it. In a review nothing can be written.
REVIEWING = f"{{ {COMMAND}; tt review approve; }} >/dev/null 2>&1; echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


def documented(cli: str) -> str:
    """The section for ``cli`` of the guide."""
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if cli in tomllib.loads(block).get("agent_clis", {})]
    return str(found)


@pytest.mark.parametrize("cli", ["mini", "openhands"])
def test_as_a_custom_cli_it_works_reviews_and_is_merged(project: Project, cli: str) -> None:
    """Two issues on top of each other, with a fix round after a failing check, and a review of each."""
    require(cli)
    with model_server(key=KEY, command=REVIEWING, closing=CLOSING) as model:
        text = documented(cli).replace("http://models.example.org", model.url)
        text = text.replace("sk-…", KEY).replace("openai/MODEL", "openai/test")
        two = "sh -c 'test $(ls made-* | wc -l) -ge 2'"
        project.found(ISSUES, clis=(), sandbox="auto", checks=[two], extra=f"\n{text}")
        project.spawn("worker", "reviewer", cli=cli)
        mission = project.start(1, 2)
        view = project.wait_state(mission, "completed", timeout=120 * PATIENCE)
    assert [item["fix_rounds"] for item in view["items"]] == [1, 0]
    assert len(project.merges()) == 2
