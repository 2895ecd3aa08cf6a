"""The manifest: what it may say, and errors with file and line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytown.errors import ConfigurationError
from tinytown.missions.manifest import Manifest, Override, parse

REPO = "local/town"


def read(text: str) -> Manifest:
    return parse(text, source="mission.toml")


def test_everything_an_override_can_say() -> None:
    (override,) = read(
        """
[[overrides]]
issue = 2
owner_role = "backend"
priority = -5
depends_on = [1, "#3", "4", "acme/lib#5", 1]
kind = "fix"
skip = true
"""
    ).overrides
    assert override == Override(
        issue=2, owner_role="backend", priority=-5, depends_on=(1, 3, 4, "acme/lib#5"), kind="fix", skip=True,
        where="mission.toml:2", line=2,
    )  # fmt: skip


def test_an_empty_manifest_says_nothing() -> None:
    assert read("# nothing yet\n") == Manifest()


def test_an_override_may_say_nothing() -> None:
    assert read("[[overrides]]\nissue = 1\n").overrides[0].depends_on is None


def test_no_dependencies_is_something_else_than_silence() -> None:
    assert read("[[overrides]]\nissue = 1\ndepends_on = []\n").overrides[0].depends_on == ()


def test_overrides_are_found_by_key_in_any_case() -> None:
    manifest = read('[[overrides]]\nissue = "Acme/App#1"\n[[overrides]]\nissue = 2\n')
    found = manifest.by_key(["acme/app#1", "local/town#2"], repo=REPO)
    assert {key: override.line for key, override in found.items()} == {"acme/app#1": 1, "local/town#2": 3}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[overrides]]\nissue = \n", "mission.toml:2: not valid TOML: invalid value"),
        ("x = 1\n", "mission.toml:1: unknown key `x`; a manifest is a list of `[[overrides]]`"),
        ("\n[[override]]\nissue = 1\n", "mission.toml:2: unknown key `override`; did you mean `[[overrides]]`?"),
        ("\noverrides = 3\n", "mission.toml:2: `overrides` is not a list of tables"),
        ("[overrides]\nissue = 1\n", "mission.toml:1: `overrides` is not a list of tables"),
        ("[[overrides]]\nskip = true\n", "mission.toml:1: the override names no issue; add `issue = N`"),
        ("[[overrides]]\nissue = 1\nowner = 1\n", "mission.toml:3: unknown key `owner`; did you mean `owner_role`?"),
        ("[[overrides]]\nissue = 1\nzzz = 1\n", "mission.toml:3: unknown key `zzz`; the keys are issue, owner_role"),
        ("[[overrides]]\nissue = 0\n", "mission.toml:2: `issue` is neither a number nor a key"),
        ("[[overrides]]\nissue = true\n", "mission.toml:2: `issue` is neither a number nor a key"),
        ('[[overrides]]\nissue = "one"\n', "mission.toml:2: `issue` is neither a number nor a key"),
        ("[[overrides]]\nissue = 1\n\nowner_role = 3\n", "mission.toml:4: `owner_role` is not a word"),
        ('[[overrides]]\nissue = 1\nowner_role = " "\n', "mission.toml:3: `owner_role` is not a word"),
        ('[[overrides]]\nissue = 1\npriority = "high"\n', "mission.toml:3: `priority` is not a whole number"),
        ("[[overrides]]\nissue = 1\npriority = 1.5\n", "mission.toml:3: `priority` is not a whole number"),
        ("[[overrides]]\nissue = 1\npriority = true\n", "mission.toml:3: `priority` is not a whole number"),
        ("[[overrides]]\nissue = 1\ndepends_on = 2\n", "mission.toml:3: `depends_on` is not a list"),
        ('[[overrides]]\nissue = 1\ndepends_on = [2, "x"]\n', "mission.toml:3: `depends_on`: 'x' is neither"),
        (
            '[[overrides]]\nissue = 1\nkind = "desing"\n',
            "mission.toml:3: there is no kind 'desing'; did you mean `design`?",
        ),
        ('[[overrides]]\nissue = 1\nkind = "x"\n', "mission.toml:3: there is no kind 'x'; the kinds are design"),
        ('[[overrides]]\nissue = 1\nskip = "yes"\n', "mission.toml:3: `skip` is neither true nor false"),
        ("[[overrides]]\nissue = 1\n\n[[overrides]]\nissue = 2\nskip = 1\n", "mission.toml:6: `skip` is neither"),
        ("overrides = [{issue = 1}, {isue = 2}]\n", "mission.toml:1: unknown key `isue`; did you mean `issue`?"),
    ],
)
def test_errors_name_file_line_and_remedy(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[overrides]]\nissue = 9\n", "mission.toml:1: local/town#9 is not in this mission"),
        (
            '[[overrides]]\nissue = 1\n[[overrides]]\nissue = "local/town#1"\n',
            "mission.toml:3: local/town#1 is overridden at line 1 already",
        ),
        ("[[overrides]]\nissue = 1\ndepends_on = [1]\n", "mission.toml:1: local/town#1 cannot depend on itself"),
    ],
)
def test_what_contradicts_the_mission_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text).by_key(["local/town#1", "local/town#2"], repo=REPO)
    assert str(caught.value).startswith(problem)


@settings(deadline=None)
@given(st.text(alphabet='[]overids="1,#{}\n\t .x', max_size=80))
def test_any_text_is_a_manifest_or_a_clear_error(text: str) -> None:
    message = "mission.toml"
    try:
        read(text)
    except ConfigurationError as error:
        message = error.message
    assert message.startswith("mission.toml")
