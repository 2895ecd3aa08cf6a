"""Roles: names, aliases, labels, words."""

from __future__ import annotations

import pytest

from tinytown.errors import ConfigurationError
from tinytown.missions.records.issue import Issue
from tinytown.missions.role_names import BUILT_IN
from tinytown.missions.roles import RoleBook, kind_for
from tinytown.settings import RoleSettings

BOOK = RoleBook()


def issue(title: str = "Something", body: str = "", *labels: str) -> Issue:
    return Issue(key="local/town#1", number=1, title=title, body=body, labels=labels)


@pytest.mark.parametrize(
    ("name", "role"),
    [("architect", "designer"), ("developer", "backend"), ("endpoints", "backend"), ("ui", "frontend"),
     ("qa", "tester"), ("audit", "reviewer"), ("infra", "devops"), ("docs", "docs"), ("Backend", "backend"),
     (" WORKER ", "worker")],
)  # fmt: skip
def test_an_alias_is_the_role(name: str, role: str) -> None:
    assert BOOK.resolve(name) == role


def test_every_built_in_role_is_its_own() -> None:
    assert [BOOK.resolve(name) for name in BUILT_IN] == list(BUILT_IN) == list(BOOK.names)


def test_an_unknown_role_lists_similar_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no role 'bakend'; did you mean `backend`"):
        BOOK.resolve("bakend")


def test_an_unknown_role_unlike_any_lists_all() -> None:
    with pytest.raises(ConfigurationError, match=r"use one of `designer`, `backend`"):
        BOOK.resolve("zzzz")


@pytest.mark.parametrize(
    ("title", "role"),
    [("Design auth API", "designer"), ("Implement auth endpoints", "backend"), ("Write auth tests", "tester"),
     ("Improve latest redesign", "worker"), ("Fix re-design of the page", "designer"), ("UI: new button", "frontend"),
     ("Add security-audit page", "security"), ("", "worker"), ("the testing of contests", "worker")],
)  # fmt: skip
def test_the_titles_first_whole_word_decides(title: str, role: str) -> None:
    assert BOOK.role_for(issue(title)) == (role, False)


def test_the_body_decides_where_the_title_says_nothing() -> None:
    assert BOOK.role_for(issue("Login", "The button of the web client, and its server.")) == ("frontend", False)


def test_a_label_comes_before_words() -> None:
    assert BOOK.role_for(issue("Write tests", "", "bug", "Role: Backend")) == ("backend", True)
    assert BOOK.role_for(issue("Write tests", "", "enhancement", "docs")) == ("docs", True)
    assert BOOK.role_for(issue("Write tests", "", "docs", "role:security")) == ("security", True)


def test_a_label_that_is_no_role_is_only_a_label() -> None:
    assert BOOK.role_for(issue("Write tests", "", "good first issue", "P1")) == ("tester", False)


def test_a_role_label_that_is_no_role_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"local/town#1 has the label 'role:bakend', but there is no role"):
        BOOK.role_for(issue("Write tests", "", "role:bakend"))


def test_the_manifest_comes_before_all() -> None:
    assert BOOK.role_for(issue("Write tests", "", "role:docs"), "architect") == ("designer", True)
    with pytest.raises(ConfigurationError):
        BOOK.role_for(issue(), "nobody")


def test_an_agent_has_the_role_it_is_called_by() -> None:
    assert [BOOK.role_of_agent_name(name) for name in ("backend", "architect", "ada", "backend-2")] == [
        "backend", "designer", "worker", "worker",
    ]  # fmt: skip


def test_kinds_follow_roles() -> None:
    kinds = [kind_for(role) for role in ("designer", "tester", "reviewer", "researcher", "docs", "backend", "own")]
    assert kinds == ["design", "test", "review", "research", "docs", "implement", "implement"]


def test_a_town_has_roles_and_aliases_of_its_own() -> None:
    book = RoleBook({"data": RoleSettings(aliases=["sql", "api"]), "backend": RoleSettings(aliases=["rust"])})
    assert [book.resolve(name) for name in ("data", "sql", "api", "rust", "server")] == [
        "data", "data", "data", "backend", "backend",
    ]  # fmt: skip
    assert book.role_for(issue("Tune the SQL")) == ("data", False)


def test_a_role_may_take_the_name_of_a_built_in_alias() -> None:
    assert RoleBook({"ui": RoleSettings()}).resolve("ui") == "ui"


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        ({"a": RoleSettings(aliases=["backend"])}, "is a role of its own"),
        ({"a": RoleSettings(aliases=["x"]), "b": RoleSettings(aliases=["x"])}, "already belongs to `a`"),
        ({"a": RoleSettings(aliases=["no spaces"])}, "is not a name"),
        ({"No": RoleSettings()}, "is not a name"),
        ({"conductor": RoleSettings()}, "is a part of the town"),
        ({"a": RoleSettings(aliases=["checks"])}, "is a part of the town"),
    ],
)
def test_claims_that_contradict_are_refused(roles: dict[str, RoleSettings], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        RoleBook(roles)


def test_a_long_body_without_a_role_is_read_in_no_time() -> None:
    assert BOOK.role_for(issue("x", "a-" * 200_000)) == ("worker", False)
