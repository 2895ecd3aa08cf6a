"""Whether requests and answers are as GitHub's OpenAPI description says."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.fakes.github.requests import GRAPHQL, PREFIX, Request

_HERE = Path(__file__).parent

#: Nulls that GitHub sends although its description has none, by their place in an answer. Those of the first line were
#: recorded; of the second GitHub says in words that an outdated comment has no line any more.
SENT = (r"(.*/)?head/(label|user|repo)", r"(.*/)?original_line")
NULLS = (*SENT, r"(.*/)?line", r"(.*/)?position")
#: What GitHub takes although its description does not: a bare list of labels, which PyGithub sends.
_BARE_LISTS = re.compile(r".*/issues/[0-9]+/labels")


@cache
def _description() -> dict[str, Any]:
    with gzip.open(_HERE / "openapi.json.gz") as file:
        made: dict[str, Any] = _nullable(json.load(file))
        return made


def _nullable(one: Any) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema has another type."""
    if isinstance(one, list):
        return [_nullable(part) for part in one]
    if not isinstance(one, dict):
        return one
    made = {name: _nullable(part) for name, part in one.items()}
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", None) is True else made


@cache
def _registry() -> Registry[Any]:
    return Registry().with_resource("urn:github", Resource(contents=_description(), specification=DRAFT202012))


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    # `{path}` and its like may hold slashes; what is more exact is tried first.
    def pattern(path: str) -> re.Pattern[str]:
        text = re.sub(r"\{(branch|ref|path|basehead)\}", ".+", path)
        return re.compile(re.sub(r"\{[^/]+\}", "[^/]+", text))

    known = sorted(_description()["paths"], key=lambda path: (path.count("{"), -len(path)))
    return [(pattern(path), path) for path in known]


def operation(method: str, place: str) -> tuple[str, dict[str, Any]] | None:
    """The path as it is described, and what is described of it; nothing if nothing is."""
    place = re.sub(r"^/repositories/[0-9]+", "/repos/o/r", place)
    if method == "GET":  # An older address of the same list, which PyGithub still uses.
        place = re.sub(r"^(/repos/[^/]+/[^/]+)/statuses/(.+)", r"\1/commits/\2/statuses", place)
    for pattern, path in _paths():
        if pattern.fullmatch(place) and method.lower() in _description()["paths"][path]:
            return path, _description()["paths"][path][method.lower()]
    return None


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"urn:github{pointer}"}, registry=_registry())


def _pointer(path: str, *rest: str) -> str:
    words = ["paths", path, *rest]
    return "#/" + "/".join(word.replace("~", "~0").replace("/", "~1") for word in words)


def _resolved(one: dict[str, Any], pointer: str) -> tuple[dict[str, Any], str]:
    while "$ref" in one:
        pointer = one["$ref"]
        found: Any = _description()
        for word in pointer.removeprefix("#/").split("/"):
            found = found[word]
        one = found
    return one, pointer


def violations(requests: list[Request]) -> list[str]:
    """What is not as described, each once: unknown operations and parameters, bodies, statuses and answers."""
    found: dict[str, None] = {}
    done: set[str] = set()
    for one in requests:
        if not one.path.startswith(PREFIX) or one.path.startswith(GRAPHQL) or one.status in {0, 401, 429}:
            continue
        key = f"{one.method} {re.sub('[0-9a-f]{40}|[0-9]+', 'N', one.place)} {one.status} {_outline(one.answer)}"
        if key not in done:
            done.add(key)
            found |= dict.fromkeys(f"{one.method} {one.place}: {error}" for error in _errors(one))
    return list(found)


def _outline(value: Any) -> str:
    """The kinds that a value is made of: two answers of one outline need not both be looked at."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_outline(part)}" for name, part in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({_outline(part) for part in value})) + "]"
    return type(value).__name__


def _errors(one: Request) -> list[str]:
    known = operation(one.method, one.place)
    if known is None:
        # What is asked for in vain is no operation; where it was answered we have one too many.
        return [] if one.status == 404 else ["no such operation"]
    path, described = known
    return [*_asked(one, path, described), *([] if one.scripted else _answered(one, path, described))]


def _asked(one: Request, path: str, described: dict[str, Any]) -> list[str]:
    shared = _description()["paths"][path].get("parameters", [])
    parameters = [_resolved(each, "")[0] for each in (*shared, *described.get("parameters", []))]
    query = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
    found = []
    for name, value in parse_qsl(one.path.partition("?")[2], keep_blank_values=True):
        if name not in query:
            found.append(f"no parameter `{name}`")
        elif not _fits(query[name], unquote(value)):
            found.append(f"parameter `{name}` cannot be {value!r}")
    schema = described.get("requestBody", {}).get("content", {}).get("application/json")
    if schema is None or not one.body:
        return found if not one.body or one.json in (None, {}) else [*found, "takes no body"]
    if isinstance(one.json, list) and _BARE_LISTS.fullmatch(one.place):
        return found
    pointer = _pointer(path, one.method.lower(), "requestBody", "content", "application/json", "schema")
    # A request that was refused for what it says is the refusal's test.
    errors = [] if one.status in {400, 422} else list(_validator(pointer).iter_errors(one.json))
    allowed = schema["schema"].get("properties") or {}
    if allowed and isinstance(one.json, dict):
        found += [f"no field `{name}` in the body" for name in one.json if name not in allowed]
    return found + [f"body {_where(error)}" for error in errors]


def _fits(schema: dict[str, Any], value: str) -> bool:
    values: list[Any] = [value, value == "true"]
    values += [int(value)] if re.fullmatch("-?[0-9]+", value) else []
    checked = Draft202012Validator(
        {"$ref": schema["$ref"]} if "$ref" in schema else schema, registry=_registry(),
    )  # fmt: skip
    return any(checked.is_valid(each) for each in values)


def _answered(one: Request, path: str, described: dict[str, Any]) -> list[str]:
    """A refusal that is described nowhere is possible everywhere; its body must be an error all the same."""
    if one.status >= 400:
        told = isinstance(one.answer, dict) and isinstance(one.answer.get("message"), str)
        return [] if told else ["a refusal without a message"]
    if one.status in {301, 302, 304, 307}:
        return []
    answers = described["responses"]
    if str(one.status) not in answers:
        return [f"never answers {one.status}"]
    pointer = _pointer(path, one.method.lower(), "responses", str(one.status))
    answer, pointer = _resolved(answers[str(one.status)], pointer)
    kind = next((name for name in answer.get("content", {}) if "json" in name), None)
    if kind is None:
        return [] if one.answer is None else ["answers no body"]
    whole = f"{pointer}/content/{kind.replace('/', '~1')}/schema"
    return [f"answer {_where(each)}" for each in _deepest(_validator(whole).iter_errors(one.answer)) if not _null(each)]


def _deepest(errors: Any) -> list[Any]:
    """Of alternatives, what kept the nearest one from fitting."""
    found: list[Any] = []
    for error in errors:
        if error.context and error.validator in {"anyOf", "oneOf"}:
            real = [
                each for each in error.context if not (each.validator == "type" and each.schema.get("type") == "null")
            ]
            found += _deepest(real[:1]) if real else [error]
        else:
            found.append(error)
    return found


def _null(error: Any) -> bool:
    if error.instance is not None:
        return False
    path = "/".join(str(part) for part in error.absolute_path if not isinstance(part, int))
    return any(re.fullmatch(one, path) for one in NULLS)


def _where(error: Any) -> str:
    return f"{'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:120]}"
