"""The work graph: order, circles, contraction, provenance."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tinytown.errors import ConfigurationError, CycleError
from tinytown.missions import manifest
from tinytown.missions.graph import WorkGraph, compile_items
from tinytown.missions.records.issue import Edge, Issue
from tinytown.missions.roles import RoleBook
from tinytown.missions.states import ItemState, Source

REPO = "local/town"


def key(number: int) -> str:
    return f"{REPO}#{number}"


def edge(number: int, source: Source = Source.TEXT) -> Edge:
    return Edge(on=key(number), source=source, line=1, text=f"depends on #{number}")


def graph(edges: dict[int, list[int]], *, skipped: tuple[int, ...] = ()) -> WorkGraph:
    stated = {key(n): [edge(on) for on in depends] for n, depends in edges.items()}
    return WorkGraph.build(stated, skipped=[key(n) for n in skipped])


def numbers(found: tuple[str, ...]) -> list[int]:
    return [int(one.partition("#")[2]) for one in found]


def on(built: WorkGraph, number: int) -> list[int]:
    return numbers(tuple(one.on for one in built.edges[key(number)]))


def issue(number: int, body: str = "", *, title: str = "", labels: tuple[str, ...] = (), repo: str = REPO,
          blocked_by: tuple[str, ...] = ()) -> Issue:  # fmt: skip
    return Issue(
        key=f"{repo}#{number}", number=number, title=title or f"Issue {number}", body=body, labels=labels,
        blocked_by=blocked_by,
    )  # fmt: skip


def read(text: str) -> manifest.Manifest:
    return manifest.parse(text, source="mission.toml")


# -- order ---------------------------------------------------------------------------------------


def test_items_come_after_what_they_wait_for_and_else_by_number() -> None:
    built = graph({10: [], 2: [10], 3: [], 1: [3, 2]})
    assert numbers(built.order) == [3, 10, 2, 1]
    assert [numbers(wave) for wave in built.waves()] == [[3, 10], [2], [1]]
    assert (key(2),) == built.dependents()[key(10)]


def test_the_critical_path_counts_the_items_on_the_longest_way_to_the_end() -> None:
    built = graph({1: [], 2: [1], 3: [2], 4: [1], 5: []})
    assert {int(k.partition("#")[2]): n for k, n in built.critical_paths().items()} == {1: 3, 2: 2, 3: 1, 4: 1, 5: 1}
    assert numbers(built.critical_path()) == [1, 2, 3]


def test_an_empty_graph_has_no_waves() -> None:
    built = graph({})
    assert (built.order, built.waves(), built.critical_path()) == ((), (), ())


def test_an_edge_to_itself_is_dropped() -> None:
    assert on(graph({1: [1]}), 1) == []


def test_an_edge_to_an_issue_outside_is_external() -> None:
    built = graph({1: [], 2: [1, 99]})
    assert on(built, 2) == [1]
    assert [key(99)] == [one.on for one in built.external[key(2)]]


def test_an_edge_stated_twice_keeps_the_first_statement() -> None:
    stated = {key(1): [], key(2): [edge(1, Source.NATIVE), edge(1, Source.TEXT)]}
    assert [one.source for one in WorkGraph.build(stated).edges[key(2)]] == [Source.NATIVE]


def test_github_keys_are_the_same_in_any_case() -> None:
    stated = {"Acme/App#1": [], "acme/app#2": [Edge(on="ACME/app#1", source=Source.TEXT)]}
    assert [one.on for one in WorkGraph.build(stated).edges["acme/app#2"]] == ["Acme/App#1"]


def test_local_keys_differ_by_case_only_for_the_forge() -> None:
    stated = {"local/a#1": [], "local/a#2": [Edge(on="local/b#1", source=Source.TEXT)]}
    assert [one.on for one in WorkGraph.build(stated).external["local/a#2"]] == ["local/b#1"]


# -- circles -------------------------------------------------------------------------------------


def test_a_circle_is_refused_with_its_path_and_its_lines() -> None:
    issues = [issue(1, "Depends on #3."), issue(2, "x\n\nAfter #1."), issue(3, blocked_by=(key(2),))]
    with pytest.raises(CycleError) as caught:
        compile_items(issues, roles=RoleBook(), repo=REPO)
    assert (key(1), key(3), key(2), key(1)) == caught.value.path
    assert (
        f"{key(1)} line 1: Depends on #3.",
        f"{key(3)} is marked as blocked by {key(2)}",
        f"{key(2)} line 3: After #1.",
    ) == caught.value.lines
    assert "remove one of these dependencies" in str(caught.value)


def test_a_circle_through_a_skipped_item_is_still_one() -> None:
    with pytest.raises(CycleError):
        graph({1: [2], 2: [1]}, skipped=(2,))


def test_the_manifest_can_break_a_circle() -> None:
    issues = [issue(1, "Depends on #2"), issue(2, "Depends on #1")]
    built = compile_items(
        issues, roles=RoleBook(), repo=REPO, manifest=read("[[overrides]]\nissue = 1\ndepends_on = []\n")
    )
    assert numbers(built.order) == [1, 2]


def test_a_circle_that_the_manifest_states_names_its_line() -> None:
    issues = [issue(1), issue(2, "Depends on #1")]
    with pytest.raises(CycleError) as caught:
        compile_items(
            issues, roles=RoleBook(), repo=REPO, manifest=read("[[overrides]]\nissue = 1\ndepends_on = [2]\n")
        )
    assert f"{key(1)} by mission.toml:1: depends on {key(2)}" == caught.value.lines[0]


# -- skipping ------------------------------------------------------------------------------------


def test_a_skipped_item_passes_on_what_it_waited_for() -> None:
    built = graph({1: [], 2: [1, 99], 3: [2], 4: [3]}, skipped=(2, 3))
    assert numbers(built.order) == [1, 4]
    assert on(built, 4) == [1]
    assert [one.source for one in built.edges[key(4)]] == [Source.SKIPPED]
    assert [key(99)] == [one.on for one in built.external[key(4)]]
    assert numbers(built.skipped) == [2, 3]


def test_an_edge_stated_by_the_item_itself_wins_over_a_passed_one() -> None:
    built = graph({1: [], 2: [1], 3: [2, 1]}, skipped=(2,))
    assert [one.source for one in built.edges[key(3)]] == [Source.TEXT]


# -- compiling -----------------------------------------------------------------------------------


def test_the_tutorials_mission() -> None:
    issues = [
        issue(1, "Design the authentication API schema.\n\n- Define login/logout endpoints\n", title="Design auth API"),
        issue(2, "Implement the authentication endpoints.\n\nDepends on #1.\n", title="Implement auth endpoints"),
        issue(3, "Write comprehensive tests for auth API.\n\nAfter #2.\n", title="Write auth tests"),
    ]
    items = compile_items(issues, roles=RoleBook(), repo=REPO).items()
    assert [(item.number, item.role, item.kind, item.critical_path) for item in items] == [
        (1, "designer", "design", 3),
        (2, "backend", "implement", 2),
        (3, "tester", "test", 1),
    ]
    assert [(), ((key(1), 3, "Depends on #1."),), ((key(2), 3, "After #2."),)] == [
        tuple((one.on, one.line, one.text) for one in item.edges) for item in items
    ]
    assert {ItemState.PENDING} == {item.state for item in items}


def test_a_kind_is_named_by_a_person_or_guessed_from_a_word() -> None:
    said = [
        issue(1, "Write it.", title="Add a review form"),
        issue(2, "Look at it.", title="The form", labels=("role:reviewer",)),
    ]
    found = {i.number: (i.kind, i.kind_named) for i in compile_items(said, roles=RoleBook(), repo=REPO).items()}
    assert found == {1: ("review", False), 2: ("review", True)}


def test_the_tutorials_manifest() -> None:
    text = """
# Override issue handling
[[overrides]]
issue = 1
owner_role = "architect"
priority = 10

[[overrides]]
issue = 2
depends_on = [1]
owner_role = "backend"

[[overrides]]
issue = 3
skip = true  # Exclude from mission
"""
    issues = [issue(1), issue(2), issue(3, "After #2."), issue(4, "After #3")]
    items = {
        item.number: item for item in compile_items(issues, roles=RoleBook(), repo=REPO, manifest=read(text)).items()
    }
    assert (items[1].role, items[1].role_named, items[1].priority) == ("designer", True, 10)
    assert [(key(1), Source.MANIFEST)] == [(one.on, one.source) for one in items[2].edges]
    assert ItemState.SKIPPED is items[3].state
    assert [(key(2), Source.SKIPPED)] == [(one.on, one.source) for one in items[4].edges]


def test_a_manifests_dependencies_replace_the_texts_but_not_the_forges() -> None:
    issues = [issue(1), issue(2), issue(3), issue(4, "Depends on #1", blocked_by=(key(2),))]
    found = compile_items(
        issues, roles=RoleBook(), repo=REPO, manifest=read("[[overrides]]\nissue = 4\ndepends_on = [3]\n")
    )
    assert [(key(2), Source.NATIVE), (key(3), Source.MANIFEST)] == [(e.on, e.source) for e in found.edges[key(4)]]


def test_numbers_of_another_repository_stay_there() -> None:
    issues = [issue(1), issue(1, repo="local/lib"), issue(2, "Depends on #1", repo="local/lib")]
    found = compile_items(issues, roles=RoleBook(), repo=REPO)
    assert [one.on for one in found.edges["local/lib#2"]] == ["local/lib#1"]


def test_an_unknown_role_in_the_manifest_names_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"mission\.toml:2: there is no role 'backand'"):
        compile_items(
            [issue(1)], roles=RoleBook(), repo=REPO,
            manifest=read('\n[[overrides]]\nissue = 1\nowner_role = "backand"\n'),
        )  # fmt: skip


# -- properties ----------------------------------------------------------------------------------


@st.composite
def dags(draw: st.DrawFn) -> dict[int, list[int]]:
    size = draw(st.integers(0, 25))
    names = draw(st.permutations(range(1, size + 1)))
    return {names[i]: sorted(draw(st.sets(st.sampled_from(names[:i]), max_size=4))) if i else [] for i in range(size)}


def reaches(edges: dict[int, list[int]]) -> dict[int, set[int]]:
    """For each item everything it waits for, directly or not, by plain repetition."""
    found = {n: set(depends) for n, depends in edges.items()}
    changed = True
    while changed:
        changed = False
        for n, known in found.items():
            more = set().union(*(found[m] for m in known)) - known
            if more:
                found[n] = known | more
                changed = True
    return found


@settings(max_examples=examples(25))
@given(dags())
def test_the_order_respects_every_edge(edges: dict[int, list[int]]) -> None:
    built = graph(edges)
    place = {k: i for i, k in enumerate(built.order)}
    assert len(edges) == len(place)
    assert all(place[key(m)] < place[key(n)] for n, depends in edges.items() for m in depends)
    waves = {k: i for i, wave in enumerate(built.waves()) for k in wave}
    assert all(waves[key(m)] < waves[key(n)] for n, depends in edges.items() for m in depends)
    longest = built.critical_paths()
    assert len(built.waves()) == max(longest.values(), default=0) == len(built.critical_path())


@settings(max_examples=examples(25))
@given(dags(), st.randoms(use_true_random=False))
def test_the_graph_is_the_same_in_whatever_order_the_issues_come(
    edges: dict[int, list[int]], rng: random.Random
) -> None:
    shuffled = list(edges)
    rng.shuffle(shuffled)
    again = {n: rng.sample(edges[n], len(edges[n])) for n in shuffled}
    one, other = graph(edges), graph(again)
    assert (one.order, one.edges) == (other.order, other.edges)
    assert one.critical_path() == other.critical_path()


@settings(max_examples=examples(25))
@given(dags(), st.data())
def test_skipping_keeps_the_order_through_what_is_skipped(edges: dict[int, list[int]], data: st.DataObject) -> None:
    skipped = tuple(data.draw(st.sets(st.sampled_from(sorted(edges))))) if edges else ()
    built = graph(edges, skipped=skipped)
    kept = [n for n in edges if n not in skipped]
    before = reaches(edges)
    after = reaches({n: on(built, n) for n in kept})
    assert {n: before[n] - set(skipped) for n in kept} == after


@settings(max_examples=examples(25))
@given(st.dictionaries(st.integers(1, 12), st.lists(st.integers(1, 14), max_size=4), max_size=12))
def test_circles_are_always_found_and_always_real(edges: dict[int, list[int]]) -> None:
    inside = {n: [m for m in depends if m in edges and m != n] for n, depends in edges.items()}
    circular = any(n in known for n, known in reaches(inside).items())
    if not circular:
        graph(edges)
        return
    with pytest.raises(CycleError) as caught:
        graph(edges)
    path = numbers(caught.value.path)
    assert path[0] == path[-1] == min(path)
    assert len(set(path)) == len(path) - 1 == len(caught.value.lines)
    assert all(m in inside[n] for n, m in itertools.pairwise(path))


def test_ten_thousand_items_take_seconds_at_most() -> None:
    size = 10_000
    rng = random.Random(7)
    edges = {n: sorted({rng.randrange(1, n) for _ in range(3)}) if n > 1 else [] for n in range(1, size + 1)}
    edges[size] = [size - 1]
    chain = {n: [n - 1] if n > 1 else [] for n in range(1, size + 1)}
    begun = time.process_time()
    built = graph(edges, skipped=tuple(range(5, size, 50)))
    deep = graph(chain)
    assert size == len(deep.waves()) == len(deep.critical_path())
    assert built.critical_paths()
    assert time.process_time() - begun < 5
