"""What tinytown sends to GraphQL is what GitHub's schema has."""

from __future__ import annotations

import re

from tests.fakes.github.descriptions import graphql
from tinytown.forge.github import documents


def test_github_would_carry_out_every_document() -> None:
    found = {name: text for name, text in vars(documents).items() if re.match(r"\s*(query|mutation)\b", str(text))}
    assert len(found) >= 5
    assert {name: errors for name, text in found.items() if (errors := graphql.errors(text))} == {}
