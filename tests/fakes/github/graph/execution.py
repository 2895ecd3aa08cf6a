"""Carrying out a GraphQL document."""

from __future__ import annotations

from typing import Any

from graphql import ExecutionResult, GraphQLError, graphql_sync

from tests.fakes.github import access
from tests.fakes.github.descriptions.graphql import schema
from tests.fakes.github.graph import commits, mutations, pulls, repositories
from tests.fakes.github.graph.fields import FIELDS, Asking, resolve
from tests.fakes.github.people import User
from tests.fakes.github.requests import Answer, RefusedError, Request
from tests.fakes.github.world import World

_TYPES = {**commits.TYPES, **pulls.TYPES, **repositories.TYPES}
assert "Mutation" in FIELDS, mutations.__doc__


def answer(world: World, request: Request) -> Answer:
    """A document's answer: data, and errors beside it. Its limit is one of its own."""
    said = request.json
    try:
        token = access.who(world, request)
        if token is None:
            raise RefusedError(401, "This endpoint requires you to be authenticated.")
        if not isinstance(said, dict) or not isinstance(said.get("query"), str):
            raise RefusedError(400, "A query attribute must be specified and must be a string.")
    except RefusedError as refused:
        return refused.answer
    try:
        headers = access.rate(world, token, "graphql", 1)
    except RefusedError as refused:
        limited = {"type": "RATE_LIMITED", "message": str(refused)}
        return Answer(200, {"errors": [limited]}, refused.answer.headers)
    result = graphql_sync(
        schema(), said["query"], variable_values=said.get("variables") or {}, operation_name=said.get("operationName"),
        context_value=Asking(world, token, said["query"]), field_resolver=resolve, type_resolver=_type_of,
    )  # fmt: skip
    if token.kind in {"classic", "oauth"}:
        headers["X-OAuth-Scopes"] = ", ".join(token.scopes)
    return Answer(200, _told(result), headers)


def _type_of(value: Any, *_: Any) -> str:
    return repositories.kind_of(value) if isinstance(value, User) else _TYPES[type(value)]


def _told(result: ExecutionResult) -> dict[str, Any]:
    """As GitHub writes it: the kind of an error stands beside its message."""
    body: dict[str, Any] = {}
    if result.data is not None or not result.errors or any(one.path for one in result.errors):
        body["data"] = result.data
    if result.errors:
        body["errors"] = [_error(one) for one in result.errors]
    return body


def _error(error: GraphQLError) -> dict[str, Any]:
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        raise error.original_error  # A mistake of this GitHub, which its test must hear of.
    told: dict[str, Any] = dict(error.formatted)
    kind = (told.pop("extensions", None) or {}).get("type")
    return {"type": kind, **told} if kind else told
