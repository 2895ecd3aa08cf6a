"""Keys: read, compared, ordered, and turned into names that cannot collide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytown import keys
from tinytown.errors import ConfigurationError
from tinytown.git.repository import branch_ref

_WORD = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
_OWNER = st.from_regex(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,8}", fullmatch=True)
_NUMBER = st.integers(min_value=1, max_value=99999)
_KEYS = st.one_of(
    st.builds("{}/{}#{}".format, _OWNER, _WORD, _NUMBER),
    st.builds("local/{}#{}".format, _WORD, _NUMBER),
    st.builds("{}/{}:doc/{}/{}".format, _OWNER, _WORD, _WORD, _WORD),
    st.builds("{}:task/{}".format, _WORD, _WORD),
)


@pytest.mark.parametrize(
    ("text", "kind", "repo", "number", "name"),
    [
        ("octo/Hello-World#12", "github", "octo/Hello-World", 12, ""),
        ("local/shop#2", "local", "local/shop", 2, ""),
        ("octo/site:doc/docs/spec.md", "doc", "octo/site", 0, "docs/spec.md"),
        ("local/shop:doc/spec.md", "doc", "local/shop", 0, "spec.md"),
        ("release:task/build.1", "task", "release", 0, "build.1"),
    ],
)
def test_a_key_is_its_parts(text: str, kind: str, repo: str, number: int, name: str) -> None:
    found = keys.parse(text)
    assert (found.kind, found.repo, found.number, found.name) == (kind, repo, number, name)
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "2", "#2", "octo#2", "octo/site#0", "octo/site#02", "octo/site#-1", "octo/site#1x", "octo/site#1\n",
        "-octo/site#1", "octo-/site#1", "octo/-site#1", "octo/..#1", "octo/.#1", "octo/a b#1", "a/b/c#1",
        "https://github.com/octo/site/issues/1", "octo/site:doc/../x", "octo/site:doc//x", "octo/site:doc/",
        "octo/site:doc/a\nb", "plan:task/", "plan:task/a/b", "octo/site#1234567890",
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        keys.parse(text)


def test_names_of_repositories_are_the_same_in_any_case_but_paths_and_tasks_are_not() -> None:
    assert keys.same("Octo/Site#1", "octo/site#1")
    assert keys.same("Octo/Site:doc/a.md", "octo/site:doc/a.md")
    assert not keys.same("octo/site:doc/A.md", "octo/site:doc/a.md")
    assert not keys.same("plan:task/A", "plan:task/a")


def test_numbers_are_ordered_as_numbers() -> None:
    mixed = ["local/a#10", "local/b#1", "local/a#2"]
    assert sorted(mixed, key=keys.order) == ["local/a#2", "local/a#10", "local/b#1"]


def test_a_plain_key_gives_a_plain_branch() -> None:
    assert keys.branch_name("0123456789abcdef", "local/repo#2") == "tt/01234567/local-repo-2"
    assert keys.branch_name("abcdefgh", "octo/hello-world#7") == "tt/abcdefgh/octo-hello-world-7"


def test_keys_that_a_slug_would_confuse_stay_apart() -> None:
    confusing = [
        "local/repo-x#2", "local-repo/x#2", "local/repo.x#2", "local/repo_x#2", "local/repo--x#2", "local/repo-x-#2",
        "local/repo:doc/x-2", "local/repo:doc/x/2", "local-repo-x:task/2",
        "local/repo:doc/\u00e9", "local/repo:doc/\u00e8",
    ]  # fmt: skip
    assert len({keys.key_slug(key) for key in confusing}) == len(confusing)


@given(st.lists(_KEYS, min_size=2, max_size=12, unique_by=keys.normalise))
def test_different_keys_have_different_names_that_git_and_folders_accept(chosen: list[str]) -> None:
    slugs = [keys.key_slug(key) for key in chosen]
    assert len(set(slugs)) == len(slugs)
    for key, slug in zip(chosen, slugs, strict=True):
        assert len(slug) <= keys.SLUG_LENGTH
        assert branch_ref(keys.branch_name("abcdef1234", key), ours=True).startswith("refs/heads/tt/abcdef12/")
        assert keys.key_slug(keys.normalise(key)) == slug


@given(st.text(max_size=80))
def test_a_slug_is_safe_whatever_the_text(text: str) -> None:
    slug = keys.slug(text)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug == slug.strip("-")
    assert keys.slug(slug) == slug


def test_a_branch_names_its_mission() -> None:
    """So that a remedy can name it, too."""
    assert keys.mission_of_branch(keys.branch_name("0123456789ab", "local/a#1")) == "01234567"
    assert [keys.mission_of_branch(branch) for branch in ("", "main", "tt/x", "feature/a/b")] == ["RUN"] * 4


@pytest.mark.parametrize(
    ("key", "place"),
    [("local/a#2", 2), ("local/a#10", 10), ("hand:task/t12", 12), ("plan:task/build", 0), ("plan:task/7", 7)],
)
def test_what_is_alike_goes_by_its_number(key: str, place: int) -> None:
    assert keys.place(key) == place
