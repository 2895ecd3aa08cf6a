"""Front matter of issue files: YAML as people and their tools write it, TOML, and what is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytown.errors import ConfigurationError
from tinytown.forge.local import front_matter
from tinytown.forge.local.issue_files import IssueFile, parse
from tinytown.missions.records.issue import Issue


def read(front: str, rest: str = "# Title\n\nBody.\n") -> IssueFile:
    return parse(f"---\n{front}\n---\n{rest}", name="issues/7.md")


def refused(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, name="issues/7.md")
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("front", "blocked_by"),
    [
        ("depends_on: [1, 2]", (1, 2)),
        ("depends_on: [ '#1', \"#2\" ]", (1, 2)),
        ("depends_on:\n  - 1\n  - local/web#2\n  - octo/site#3", (1, "local/web#2", "octo/site#3")),
        ("depends_on:\n- 1\n- 2", (1, 2)),
        ("depends_on: 1", (1,)),
        ('depends_on: "#1"', (1,)),
        ("depends_on: 1, 2", (1, 2)),
        ('depends_on: "#1, #2"', (1, 2)),
        ("blocked_by: [3]\ndepends_on: [1, 3]", (1, 3)),
        ("depends-on: [1]", (1,)),
        ("dependsOn: [1]", (1,)),
        ("Blocked-By: [1]", (1,)),
        ('"depends_on": [1]', (1,)),
        ("{depends_on: [1], title: T}", (1,)),
        ("# a comment\ndepends_on: [1] # and another", (1,)),
        ("depends_on: &all [1, 2]\nblocked_by: *all", (1, 2)),
        ("depends_on: []", ()),
        ("depends_on:", ()),
        ("depends_on: ~", ()),
        ("depends_on: none", ()),
    ],
)
def test_what_an_issue_waits_for(front: str, blocked_by: tuple[int | str, ...]) -> None:
    assert read(front).blocked_by == blocked_by


@pytest.mark.parametrize(
    ("front", "labels"),
    [
        ("labels: [api, 'role:tester']", ("api", "role:tester")),
        ("labels:\n  - api\n  - no\n  - 1.0\n  - 2024-01-02", ("api", "no", "1.0", "2024-01-02")),
        ("labels: api, role:tester", ("api", "role:tester")),
        ("labels: yes", ("yes",)),
        ("labels: []", ()),
        ("labels:", ()),
    ],
)
def test_labels_are_text_whatever_they_look_like(front: str, labels: tuple[str, ...]) -> None:
    assert read(front).labels == labels


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("open", "open"), ("Open", "open"), ("in progress", "open"), ("completed", "completed"),
        ("closed", "completed"),
        ("Done", "completed"), ("not_planned", "not_planned"), ("not planned", "not_planned"),
        ("wontfix", "not_planned"), ("", "open"),
    ],
)  # fmt: skip
def test_states_in_the_words_that_people_use(word: str, state: str) -> None:
    assert read(f"state: {word}").state == state


def test_a_title_of_the_front_matter_wins() -> None:
    said = read("title: 'Add: a login'")
    assert (said.title, said.body) == ("Add: a login", "# Title\n\nBody.")
    same = read("title: Title")
    assert (same.title, same.body) == ("Title", "Body.")
    assert read("title: T", "Only a body.\n").body == "Only a body."
    assert read("title: 2024").title == "2024"


def test_what_other_tools_keep_there_is_left_alone() -> None:
    theirs = "id: 7\ndate: 2024-02-30\nassignees: [ann]\nmilestone: {name: v1}\nstatus: To Do\nestimate: 1:30\n"
    assert read(f"{theirs}depends_on: [1]").blocked_by == (1,)


@pytest.mark.parametrize(
    ("front", "line", "words"),
    [
        ("depends_on: {a: 1}", 2, "`depends_on` must be a list of numbers or keys"),
        ("title: T\ndepends_on:\n  - 1\n  - [2]", 5, "`depends_on` must be"),
        ("depends_on: [true]", 2, "`depends_on` must be"),
        ("depends_on: [1.5]", 2, "neither a number nor a key"),
        ("depends_on: [0]", 2, "neither a number nor a key"),
        ("depends_on: [-1]", 2, "neither a number nor a key"),
        ("depends_on: the schema", 2, "neither a number nor a key"),
        ("title: T\ndepends_on: #1", 3, "holds only a comment"),
        ("depends_on:\n  - #1\n  - #2", 3, "holds only a comment"),
        ("depends_on: [#1, #2]", 2, "not YAML"),
        ("depends_on: [1, 2", 2, "not YAML"),
        ("title: a: b", 2, "not YAML"),
        ("depends_on: [1]\ndepends_on: [2]", 3, "`depends_on` is given twice"),
        ("depends_on: [1]\ndepends-on: [2]", 3, "`depends_on` is given twice"),
        ("depend_on: [1]", 2, "unknown key `depend_on`"),
        ("dependencies: [1]", 2, "unknown key `dependencies`"),
        ("lables: [a]", 2, "unknown key `lables`"),
        ("labels: {a: b}", 2, "`labels` must be"),
        ("state: perhaps", 2, "'perhaps', which is not a state"),
        ("state: [open]", 2, "`state` must be"),
        ("title: [a, b]", 2, "`title` must be one string"),
        ("depends_on: " + "[" * 5000, 2, ""),
        ("title: T\nx: " + "y" * front_matter.YAML_LIMIT, 2, "longer than 64 KB"),
        ("depends_on: *nothing", 2, "not YAML"),
        ("depends_on: &a [*a]", 2, ""),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(front: str, line: int, words: str) -> None:
    error = refused(f"---\n{front}\n---\n# Title\n")
    assert words in error.message
    assert error.message.startswith(f"issues/7.md:{line}: ") or not words


@pytest.mark.parametrize(
    "text",
    [
        ";;;\n{}\n;;;\n# T\n",
        '{\n"depends_on": [1]\n}\n\n# T\n',
        '{"depends_on": [1]}\n\n# T\n',
        "---toml\ndepends_on = [1]\n---\n# T\n",
        "---json\n{}\n---\n# T\n",
        "#+DEPENDS: 1\n\n# T\n",
        "depends_on: [1]\n\n# T\n",
        "title: T\ndepends_on: [1]\n\nText\n# T\n",
        "blocked_by = [1]\n# T\n",
        "---\ndepends_on: [1]\n\n# T\n",
        "+++\ndepends_on = [1]\n\n# T\n",
        "\n---\ndepends_on: [1]\n\n# T\n",
    ],
)
def test_front_matter_of_another_kind_or_without_an_end_is_refused_and_not_ignored(text: str) -> None:
    assert refused(text).message.startswith("issues/7.md:")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\n\n# Title\n\n---\n\nText\n", "Title"),
        ("---\n\n# Title\n\nNote: read this.\n\n---\n\nText\n", "Title"),
        ("---\n# Title\n\nText\n", "Title"),
        ("---\n# Title\n---\nText\n", "Title"),
        ("---\nSome words, in a sentence.\n---\n# Title\n", "Title"),
        ("---\nSome words\n\n# Title\n", "Title"),
        ("----\ndepends_on: [1]\n----\n# Title\n", "Title"),
        ("***\n\n# Title\n", "Title"),
        ("> ---\n\n# Title\n", "Title"),
        ("{curly} words\n\n# Title\n", "Title"),
        ("Text first\n\n---\ndepends_on: [1]\n---\n# Title\n", "Title"),
    ],
)
def test_a_line_across_the_page_is_no_front_matter(text: str, title: str) -> None:
    said = parse(text, name="issues/7.md")
    assert (said.title, said.blocked_by) == (title, ())
    assert said.body


@pytest.mark.parametrize(
    "text",
    [
        "---\r\ndepends_on: [1]\r\n---\r\n# Title\r\n",
        "--- \ndepends_on: [1]\n---\t\n# Title\n",
        "---\ndepends_on: [1]\n...\n# Title\n",
        "\n\n---\ndepends_on: [1]\n---\n# Title\n",
        "---\n\ndepends_on: [1]\n---\n# Title\n",
        "+++\ndepends_on = [1]\n+++\n# Title\n",
        '+++\ntitle = "Title"\ndepends_on = ["#1"]\n+++\n',
        "---\ndepends_on: [1]\nnote: |\n  text\n  ---\n  more\n---\n# Title\n",
    ],
)
def test_fences_as_editors_leave_them(text: str) -> None:
    said = parse(text, name="issues/7.md")
    assert (said.title, said.blocked_by) == ("Title", (1,))


def test_an_empty_one_is_none() -> None:
    assert parse("---\n---\n# Title\n", name="issues/7.md").title == "Title"
    assert parse("---\n\n---\n# Title\n", name="issues/7.md").title == "Title"


def test_a_line_of_the_body_is_found_behind_it() -> None:
    text = "\n---\ntitle: Other\ndepends_on: [1]\n---\n\n# Title\n\nDepends on #2\n"
    said = parse(text, name="issues/7.md")
    issue = Issue(key="local/x#7", number=7, title=said.title, body=said.body, shifts=said.shifts)
    for number, line in enumerate(said.body.splitlines(), start=1):
        assert text.splitlines()[issue.line_in_file(number) - 1] == line


def test_anchors_that_grow_cost_nothing() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    begun = time.process_time()
    assert read(f"{bomb}depends_on: [1]").blocked_by == (1,)
    assert "must be" in refused(f"---\n{bomb}depends_on: *i\n---\n# T\n").message
    assert time.process_time() - begun < 2


@given(st.text(alphabet="depnds_o:-#[]{}'\"&*!|> \n12,?%@`", max_size=80))
def test_any_front_matter_is_read_or_one_clear_error(front: str) -> None:
    try:
        read(front)
    except ConfigurationError as error:
        said = error
    else:
        said = ConfigurationError("issues/7.md: none", remedy="none")
    assert said.message.startswith("issues/7.md:")
    assert said.remedy
