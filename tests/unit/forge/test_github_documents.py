"""Everything that GitHub is asked in GraphQL is a question by its own schema."""

from __future__ import annotations

import pytest

from tests.fakes.github.descriptions import graphql
from tinytown.forge.github import documents


@pytest.mark.parametrize("name", documents.ALL)
def test_a_document_is_one_of_the_schema(name: str) -> None:
    assert graphql.errors(documents.ALL[name]) == []


def test_no_document_is_left_out() -> None:
    texts = {name: value for name, value in vars(documents).items() if isinstance(value, str) and "(" in value}
    assert {name for name, text in texts.items() if text.lstrip().startswith(("query", "mutation"))} == {*documents.ALL}
