"""GitHub's GraphQL schema, as far as it is kept, and whether a document is one of it."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, GraphQLSyntaxError, build_schema, parse, validate

_HERE = Path(__file__).parent


@cache
def schema() -> GraphQLSchema:
    with gzip.open(_HERE / "schema.graphql.gz", "rt", encoding="utf-8") as file:
        return build_schema(file.read(), assume_valid=True)


def errors(document: str) -> list[str]:
    """Why GitHub would not carry out a document; a type that is not kept counts as unknown."""
    try:
        return [one.message for one in validate(schema(), parse(document))]
    except GraphQLSyntaxError as error:
        return [error.message]
