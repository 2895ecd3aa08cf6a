"""Issue files: what they may say, and what is refused with the file and the line."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.forge.local import issue_files
from tinytown.missions.records.issue import Issue


def issue(root: Path, text: str | bytes, number: int = 1) -> issue_files.IssueFile:
    (root / "issues").mkdir(exist_ok=True)
    (root / f"issues/{number}.md").write_bytes(text.encode() if isinstance(text, str) else text)
    return issue_files.read(root, number)


def test_the_first_heading_is_the_title_and_the_rest_the_body(tmp_path: Path) -> None:
    read = issue(tmp_path, "Some words.\n\n## Add   a login ##\n\nDepends on #2\n\n# Not the title\n")
    assert read.title == "Add a login"
    assert read.body == "Some words.\n\n\nDepends on #2\n\n# Not the title"
    assert (read.labels, read.state, read.blocked_by) == ((), "open", ())


@given(
    front=st.booleans(),
    before=st.lists(st.sampled_from(["", "", "words"]), max_size=4),
    after=st.lists(st.sampled_from(["", "", "more"]), max_size=4),
)
def test_a_line_of_the_body_is_found_in_the_file(front: bool, before: list[str], after: list[str]) -> None:
    """Whatever stands before it: front matter, blank lines, text above the heading, the heading itself."""
    lines = [*(["+++", 'state = "open"', "+++"] if front else []), *before, "# Title", *after]
    lines = [f"{line} {number}" if line in ("words", "more") else line for number, line in enumerate(lines, start=1)]
    read = issue_files.parse("\n".join(lines), name="issues/1.md")
    issue = Issue(key="local/x#1", number=1, title=read.title, body=read.body, shifts=read.shifts)
    for number, line in enumerate(read.body.splitlines(), start=1):
        assert lines[issue.line_in_file(number) - 1] == line


def test_a_heading_in_code_is_no_title(tmp_path: Path) -> None:
    assert issue(tmp_path, "```sh\n# comment\n~~~\n# more\n```\n# Title\n").title == "Title"


def test_front_matter_says_labels_state_and_blockers(tmp_path: Path) -> None:
    read = issue(
        tmp_path,
        '\ufeff+++\nlabels = ["api", "role:tester"]\nstate = "completed"\nblocked_by = [2, "octo/site#7"]\n+++\n# T\n',
    )
    assert read.labels == ("api", "role:tester")
    assert read.state == "completed"
    assert read.blocked_by == (2, "octo/site#7")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no heading at all\n", ["no heading"]),
        ("", ["no heading"]),
        ("#NoSpace\n", ["no heading"]),
        ("+++\nlabels = []\n# T\n", ["issues/12.md:1", "no end"]),
        ("+++\nlabels = []\nstate = open\n+++\n# T\n", ["line 3", "TOML"]),
        ("+++\nlabels = [\n+++\n# T\n", ["TOML", "line 3"]),
        ("+++\nlabel = []\n+++\n# T\n", ["`label`", "did you mean `labels`"]),
        ('+++\nlabels = "a"\n+++\n# T\n', ["`labels` must be a list of strings"]),
        ("+++\nlabels = [1]\n+++\n# T\n", ["`labels`"]),
        ('+++\nstate = "closed"\n+++\n# T\n', ["`state` must be one of open, completed, not_planned"]),
        ("+++\nblocked_by = 2\n+++\n# T\n", ["`blocked_by` must be a list of numbers or keys"]),
        ("+++\nblocked_by = [0]\n+++\n# T\n", ["`blocked_by`"]),
        ("+++\nblocked_by = [true]\n+++\n# T\n", ["`blocked_by`"]),
        ("+++\nblocked_by = [1.5]\n+++\n# T\n", ["`blocked_by`"]),
        (b"# T\xff\n", ["not UTF-8"]),
        ("# T\0\n", ["NUL"]),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        issue(tmp_path, text, number=12)
    for word in ["issues/12.md", *words]:
        assert word in caught.value.message
    assert caught.value.remedy


def test_a_missing_issue_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"issues/3\.md"):
        issue_files.read(tmp_path, 3)


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(tmp_path: Path) -> None:
    text = "# T\n"
    full = text + "x" * (issue_files.SIZE_LIMIT - len(text))
    assert issue(tmp_path, full).title == "T"
    with pytest.raises(ConfigurationError, match="larger than 256 KB"):
        issue(tmp_path, full + "x")


def test_a_link_within_the_repository_is_followed_and_one_out_of_it_is_not(tmp_path: Path) -> None:
    root, outside = tmp_path / "repo", tmp_path / "secret.md"
    root.mkdir()
    issue(root, "# Inside\n", number=1)
    outside.write_text("# Outside\n")
    (root / "issues/2.md").symlink_to("1.md")
    (root / "issues/3.md").symlink_to("../../secret.md")
    (root / "issues/4.md").symlink_to("4.md")
    assert issue_files.read(root, 2).title == "Inside"
    with pytest.raises(ConfigurationError, match="outside the repository"):
        issue_files.read(root, 3)
    with pytest.raises(ConfigurationError):
        issue_files.read(root, 4)


def test_the_folder_may_not_be_a_link_out_either(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    issue(tmp_path, "# Outside\n")
    (root / "issues").symlink_to("../issues")
    with pytest.raises(ConfigurationError, match="outside the repository"):
        issue_files.read(root, 1)


@pytest.mark.timeout(10)
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    folder = tmp_path / "issues"
    folder.mkdir()
    os.mkfifo(folder / "1.md")
    (folder / "2.md").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)
        try:
            listener.bind("3.md")
        finally:
            os.chdir(here)
    for number in (1, 2, 3):
        with pytest.raises(ConfigurationError):
            issue_files.read(tmp_path, number)


@given(st.text(max_size=200))
def test_any_text_is_an_issue_or_one_clear_error(text: str) -> None:
    try:
        read = issue_files.parse(text, name="issues/1.md")
    except ConfigurationError as error:
        said = error.message
    else:
        said = "issues/1.md: " + read.title
        assert read.title == " ".join(read.title.split()) != ""
    assert re.match(r"issues/1\.md(:\d+)?: ", said)
