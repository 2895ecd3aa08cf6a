"""How the fields of the schema's types are found in what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from tests.fakes.github import access
from tests.fakes.github.models import Pull, Repo
from tests.fakes.github.people import Token
from tests.fakes.github.rules import merging
from tests.fakes.github.world import World

#: A field of something, for a request, with the field's arguments.
Field = Callable[..., Any]


@dataclass
class Asking:
    """The request that a document came with."""

    world: World
    token: Token
    document: str
    cost: int = 1
    _looked: dict[Pull, merging.State] = field(default_factory=dict)

    def state(self, pull: Pull) -> merging.State:
        """Mergeability, looked at once a request whatever asks for it."""
        if pull not in self._looked:
            self._looked[pull] = merging.looked_at(self.world, pull)
        return self._looked[pull]

    def demand(self, repo: Repo, *needs: str) -> None:
        """Refuse where the token lacks one of these rights, in GraphQL's way."""
        if access.role(repo, self.token) == "none":
            raise not_found(repo.name)
        if all(access.may(repo, self.token, *one.split(":")) for one in needs):
            return
        kinds = {"fine-grained": "personal access token", "app": "integration"}
        if self.token.kind in kinds:
            raise refusal("FORBIDDEN", f"Resource not accessible by {kinds[self.token.kind]}")
        raise refusal("FORBIDDEN", f"{self.token.user.login} does not have the correct permissions to execute this")


#: The fields that each type has here.
FIELDS: dict[str, dict[str, Field]] = {}


def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    """What a field of something is; GitHub knows more fields than this one, and it says so."""
    if isinstance(source, dict):
        return source.get(info.field_name)
    known = FIELDS.get(info.parent_type.name, {}).get(info.field_name)
    if known is None:
        raise GraphQLError(
            f"the fake GitHub does not know {info.parent_type.name}.{info.field_name}: add it to its graph"
        )
    return known(source, info.context, **arguments)


def refusal(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


def not_found(what: str) -> GraphQLError:
    return refusal("NOT_FOUND", f"Could not resolve to a Repository with the name '{what}'.")


def no_node(node: str) -> GraphQLError:
    return refusal("NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'")


def page(things: Sequence[Any], **arguments: Any) -> dict[str, Any]:
    """A part of a list; cursors are places in it. As GitHub does, it wants a size from 1 to 100."""
    first, last = arguments.get("first"), arguments.get("last")
    size = first if first is not None else last
    if size is None:
        raise refusal(
            "MISSING_PAGINATION_BOUNDARIES", "You must provide a `first` or `last` value to properly paginate."
        )
    if not 1 <= size <= 100:
        raise refusal("EXCESSIVE_PAGINATION", f"Requesting {size} records exceeds the `first` limit of 100 records.")
    start = int(arguments["after"]) if arguments.get("after") else 0
    end = int(arguments["before"]) - 1 if arguments.get("before") else len(things)
    if first is not None:
        end = min(end, start + first)
    else:
        start = max(start, end - size)
    shown = list(things[start:end])
    info = {
        "hasNextPage": end < len(things), "hasPreviousPage": start > 0,
        "startCursor": str(start + 1) if shown else None, "endCursor": str(start + len(shown)) if shown else None,
    }  # fmt: skip
    edges = [{"node": one, "cursor": str(at)} for at, one in enumerate(shown, start + 1)]
    return {"nodes": shown, "edges": edges, "totalCount": len(things), "pageInfo": info}
