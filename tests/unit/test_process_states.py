"""States of processes, as they are passed between releases while a town is updated in place."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from tests.fakes.repositories import a_town
from tinytown import processes
from tinytown.host import process_specs
from tinytown.host.process_specs import ProcessState


def test_a_newer_release_may_say_more_and_an_older_one_understands_what_is_written(tmp_path: Path) -> None:
    town = a_town(tmp_path)
    process_specs.states_folder(town).mkdir(parents=True)
    me = ProcessState("control", "control", "d", os.getpid(), processes.start_time(os.getpid()) or 0.0)
    process_specs.write_state(town, me)
    file = process_specs.states_folder(town) / "control.json"
    values = json.loads(file.read_text())
    assert "tokens" not in values
    file.write_text(json.dumps({**values, "of a later release": 1}))
    assert process_specs.read_states(town) == {"control": me}
    forge = replace(me, name="forge", kind="forge", tokens=process_specs.fingerprint(town, {"GH_TOKEN": "x"}))
    process_specs.write_state(town, forge)
    assert process_specs.read_states(town)["forge"] == forge
    assert process_specs.fingerprint(town, {"PATH": "/bin", "GH_TOKEN": ""}) == ""
    assert len({process_specs.fingerprint(town, {name: "x"}) for name in ("GH_TOKEN", "GITHUB_TOKEN")}) == 2
