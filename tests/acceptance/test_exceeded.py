"""A town that keeps its agents to limits, and says what else it does not keep them from."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.acceptance.project import Project
from tinytown.host import confinement

HUNGRY = """# The model

do: first 1 write notes.txt begun
do: first 1 sh head -c 400000000 /dev/zero | tail -c 400000000 | sleep 60
do: append model.txt one
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched where there is /proc")
def test_who_uses_more_than_it_may_is_ended_told_and_tried_again(project: Project) -> None:
    project.found({1: HUNGRY})
    file = project.root / "tinytown.toml"
    file.write_text(file.read_text().replace("[sandbox]\n", '[sandbox]\nmemory = "200M"\n', 1))
    project.tt("stop")
    said = project.tt("start").stderr
    weak = confinement.off().said
    assert ("as root" in weak) == (os.geteuid() == 0)
    assert f"warning: {weak}" in said
    assert weak in project.tt("status").stdout
    assert [one["said"] for one in json.loads(project.tt("status", "--json").stdout)["sandbox"]["weak"]] == [weak]
    found = json.loads(project.tt("doctor", "--json").stdout)
    assert [f["status"] for f in found if f["name"] == "sandbox" and f["detail"] == weak] == ["warn"]

    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    item = project.item(mission, 1)
    first, *others = [a.report for a in project.context().store.finished_attempts(mission, item.key)]
    assert (first.outcome, first.summary) == ("over_limit", "used more memory than `[sandbox] memory` allows")
    assert [report.outcome for report in others] == ["succeeded"] * len(others)
    # Its work was kept, and the next one knew.
    assert "The last attempt was ended because it used more memory" in project.brief(mission, 1, 2)
    assert project.git("show", "main:notes.txt") == "begun"
