"""Dependencies in the bodies of issues: the table, provenance, and bodies nobody wrote by hand."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.missions import corpora
from tinytown.dependencies.markdown import BODY_LIMIT
from tinytown.dependencies.sections import DEPENDENCY_LIMIT, TEXT_LIMIT, Dependency, parse_dependencies

REPO = "acme/app"


def edges(body: str, repo: str = REPO) -> list[str]:
    return [str(dependency) for dependency in parse_dependencies(body, repo)]


def only(body: str, repo: str = REPO) -> Dependency:
    (dependency,) = parse_dependencies(body, repo)
    return dependency


@pytest.mark.parametrize("group", corpora.GROUPS)
def test_the_bodies_of_a_group(group: str) -> None:
    wrong = {body: found for body in corpora.GROUPS[group] if (found := corpora.read(body)) != body.edges}
    assert not wrong, "\n".join(f"{body.text!r}: {found}, not {body.edges}" for body, found in wrong.items())


def test_precision_and_recall_on_the_part_kept_aside() -> None:
    """Single bodies of it are no tests, so that nobody writes a rule for one; `make bench` prints these figures."""
    assert 300 < len(corpora.ASIDE) < len(corpora.TRAINING)
    precision, recall = corpora.score(corpora.ASIDE)
    assert precision >= 0.97
    assert recall >= 0.9


@pytest.mark.parametrize("ending", ["", "\n", " ", "\n\nMore text.\n", "\r\n\r\nMore text.\r\n"])
@pytest.mark.parametrize(
    "beginning", ["", "# Title\n\n", "Some text.\n\n", "- a list\n\ntext\n\n", "<!-- note -->\n\n"]
)
def test_what_stands_around_a_statement_does_not_matter(beginning: str, ending: str) -> None:
    for statement in ("Depends on #3.", "**Blocked by:** #3", "After #3", "- [ ] requires #3"):
        assert edges(f"{beginning}{statement}{ending}") == ["acme/app#3"]


# -- provenance ----------------------------------------------------------------------------------


def test_a_dependency_knows_its_line_and_its_words() -> None:
    body = "Title\n\nSome text.\n\n- one\n- **Depends on:** #3 and acme/lib#4\n"
    assert parse_dependencies(body, REPO) == [
        Dependency("acme/app", 3, 6, "- **Depends on:** #3 and acme/lib#4", "depends on"),
        Dependency("acme/lib", 4, 6, "- **Depends on:** #3 and acme/lib#4", "depends on"),
    ]


def test_an_issue_on_another_line_than_its_keyword_shows_both() -> None:
    first, second = parse_dependencies("Blocked by #3,\n#4", REPO)
    assert (first.line, first.text) == (1, "Blocked by #3,")
    assert (second.line, second.text) == (2, "Blocked by #3, … #4")


def test_an_entry_of_a_section_shows_its_own_line() -> None:
    first, second = parse_dependencies("## Dependencies\n\n- [ ] #3\n- [x] #4 Store\n", REPO)
    assert (first.line, first.text, first.keyword) == (3, "- [ ] #3", "dependencies")
    assert (second.line, second.text) == (4, "- [x] #4 Store")


def test_the_line_is_right_behind_code_and_comments_that_go_over_lines() -> None:
    assert only("Uses `a\nb` and <!-- x\ny --> more;\ndepends on #3").line == 4


def test_the_line_is_right_behind_other_line_ends() -> None:
    assert only("a\r\n\r\nb\rc\n\nDepends on #3").line == 6


def test_the_words_are_shortened_and_free_of_control_characters() -> None:
    text = only("Depends on #3 \x1b[31m\u202e because " + "x" * 200).text
    assert len(text) == TEXT_LIMIT
    assert text.startswith("Depends on #3 [31m because xxx")
    assert text.endswith("x…")


def test_numbers_belong_to_the_repository_of_the_issue() -> None:
    assert edges("Depends on #3 and acme/app#4", "local/town") == ["local/town#3", "acme/app#4"]


def test_the_own_repository_is_spelt_as_it_was_given() -> None:
    assert edges("Depends on ACME/APP#3, https://github.com/Acme/App/issues/4") == ["acme/app#3", "acme/app#4"]


def test_what_is_stated_twice_counts_once_where_it_came_first() -> None:
    first, second = parse_dependencies("Depends on #4\n\nBlocked by #3 and #4\n", REPO)
    assert (str(first), first.line, str(second)) == ("acme/app#4", 1, "acme/app#3")


# -- limits --------------------------------------------------------------------------------------


def test_no_more_than_the_limit_is_read() -> None:
    body = "Depends on " + ", ".join(f"#{n}" for n in range(1, 1000))
    assert edges(body) == [f"acme/app#{n}" for n in range(1, DEPENDENCY_LIMIT + 1)]


def test_a_number_that_the_limit_cuts_is_not_read() -> None:
    filler = "x" * (BODY_LIMIT - len("\n\nDepends on #12") - 2)
    assert edges(f"{filler}\n\nDepends on #12 #3456") == ["acme/app#12"]
    assert edges(f"{filler}xx\n\nDepends on #123") == []


def test_text_beyond_the_limit_is_not_read() -> None:
    assert edges("text\n\n" * BODY_LIMIT + "Depends on #3") == []


def test_a_long_ordinary_body_is_read_to_its_end() -> None:
    paragraph = "An ordinary paragraph, which says that #9 was nice and `code` is *fine*.\n\n"
    assert edges(paragraph * 1500 + "Depends on #3") == ["acme/app#3"]


#: What made Markdown parsers and patterns slow, each in amounts far beyond the limits.
HOSTILE = {
    "brackets": "[",
    "links": "[a](",
    "images": "![",
    "stars": "*a ",
    "underscores": "_a",
    "ticks": "`",
    "quotes": ">",
    "angles": "<",
    "comments": "<!-- ",
    "entities": "&amp;",
    "tildes": "~a",
    "bullets": "- a\n",
    "bullets on a line": "- ",
    "headings": "# a\n",
    "rows": "|a|b|\n",
    "tables": "a|b\n-|-\n",
    "cells": "|a",
    "definitions": "[a]: b\n",
    "paragraphs": "a\n\n",
    "tags": "<b>",
    "unclosed tags": "<a b='",
    "numbers": "#1 ",
    "statements": "depends on #1, ",
    "lines": "depends on #1\n",
    "entries": "- #1\n",
    "labels": "Depends on:\n\n- #1\n\n",
    "keywords": "depends on ",
    "fillers": "after the ",
    "parentheses": "#1 (",
    "orders": "finish #1 first ",
    "openings": "once #1 lands, ",
    "footnotes": "#1[^1] ",
    "pronouns": "that has to land first. ",
    "answers": "blocked? yes, #1 ",
    "remarks": "#1 (blocker), #2 ",
    "ranges": "#1-#50, ",
    "negations": "not, depends on #1 ",
    "urls": "https://github.com/a/b/issues/1 ",
    "hosts": "https://a.",
    "owners": "a-",
    "slashes": "a/",
    "blanks": " ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_take_no_longer_than_their_size_allows(name: str) -> None:
    piece = HOSTILE[name]
    flood = (piece * (BODY_LIMIT // len(piece)))[: BODY_LIMIT - 100]
    begun = time.process_time()
    parse_dependencies(f"{flood}\n\nDepends on #3\n", REPO)
    # Where it stands in a list or in a sentence, a quarter of it would show a square as well.
    parse_dependencies(f"## Dependencies\n\n- #2 {flood[: BODY_LIMIT // 4]}", REPO)
    parse_dependencies(f"Depends on {flood[: BODY_LIMIT // 4]} #3", REPO)
    assert time.process_time() - begun < 3  # on a busy machine; a whole body takes half a second at most


def test_deep_nesting_is_read_as_far_as_anybody_nests() -> None:
    quotes = ">" * 10_000 + " depends on #3\n" + "lazy\n" * 5_000
    lists = "\n".join("  " * depth + "- depends on #3" for depth in range(300))
    begun = time.process_time()
    assert edges(quotes) == []
    assert edges(lists) == ["acme/app#3"]
    assert time.process_time() - begun < 3


# -- properties ----------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    ["depends on", "blocked by", "after", "requires", "needs", "until", "not", "#1", "#2", "acme/lib#3", "GH-4", "#",
     "https://github.com/a/b/issues/5", "[#6](u)", "(", ")", "[", "]", ",", "and", ":", "-", "**", "`", "~~", "~",
     "<del>",
     "</del>", "<!--", "-->", "> ", "- ", "\n", "\n\n", "## Dependencies\n", "|", "|-|-|\n", " ", "this", "blocks", "?",
     ".", "(no longer)", "#1-#3", "-", "…", "\ue000", "\u2028", "\x00", "1", "```\n", "    ", "<a href=", ">", "\r"]
)  # fmt: skip
_BODIES = st.one_of(
    st.lists(_PIECES, max_size=40).map("".join),
    st.lists(_PIECES, max_size=40).map(" ".join),
    st.text(max_size=300),
    st.text(alphabet=string.printable, max_size=300),
)


@given(_BODIES)
@settings(max_examples=examples(50))
def test_any_text_is_read_without_surprises(body: str) -> None:
    found = parse_dependencies(body, REPO)
    assert found == parse_dependencies(body, REPO)
    assert len({str(one).lower() for one in found}) == len(found)
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for one in found:
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.number < 10**9
        assert one.text == " ".join(one.text.split())
        assert one.text.isprintable()
        assert len(one.text) <= TEXT_LIMIT


@given(_BODIES)
@settings(max_examples=examples(40))
def test_what_is_quoted_fenced_or_commented_out_states_nothing(body: str) -> None:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert edges("\n".join(f"> {line}" for line in lines)) == []
    fence = "`" * 50
    assert edges(f"{fence}\n" + "\n".join(lines) + f"\n{fence}\n") == []
    assert edges("<!--\n" + body.replace("-->", "") + "\n-->\n") == []
