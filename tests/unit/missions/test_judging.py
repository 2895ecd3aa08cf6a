"""A change that edits its own judge: what is told, what the base's definitions say of it, what a person approves."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.fakes.builders import a_mission, passed, with_change
from tinytown.missions import gates, lifecycle
from tinytown.missions.judging import Changed, is_test, judged_by, relevant, remarks_on, restored, scripts
from tinytown.missions.protection import protected
from tinytown.missions.records.evidence import ReviewWarnings, Verdict
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import WaitReason
from tinytown.settings import PROTECTED

PYTEST = "def test_one():\n    assert 1\n    assert 2\n\n\ndef test_two():\n    assert f() == 2\n"
SHELL = [
    "sh ci/check.sh",
    "./run -x",
    "make -f build.mk test",
    "python3 tools/verify.py --all",
    "test -f model.txt",
    "pytest tests/a.py",
    "bash -e ci/two.sh",
    "python3 -m pkg x.py",
    "sh -c run.sh",
]


def told(
    *changes: Changed, commands: tuple[str, ...] = ("make test",), patterns: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    found = remarks_on(changes, sha="head", commands=commands, patterns=patterns)
    return [(remark.kind, f"{remark.path}: {remark.text}") for remark in found.remarks]


# -- protected paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (".github/workflows/ci.yml", True),
        (".github/workflows/deep/x/ci.yml", True),
        (".GitHub/Workflows/ci.yml", True),
        (".github/workflows", False),
        ("a/.github/workflows/ci.yml", False),
        (".gitlab-ci.yml", True),
        ("sub/.gitlab-ci.yml", True),
        ("CODEOWNERS", True),
        ("docs/CODEOWNERS", True),
        ("CODEOWNERS.md", False),
        ("my.gitlab-ci.yml", False),
        (".circleci/config.yml", True),
        ("tinytown.toml", True),
        ("src/app.py", False),
        ("Jenkinsfile", True),
        (".github/dependabot.yml", False),
    ],
)
def test_the_default_names_what_decides_how_others_judge(path: str, named: bool) -> None:
    assert (protected([path], PROTECTED) == (path,)) is named


@pytest.mark.parametrize(
    ("pattern", "paths", "others"),
    [
        ("migrations/", ["migrations/1.sql", "app/migrations/2.sql"], ["migrations.py"]),
        ("/deploy", ["deploy", "deploy/a"], ["x/deploy"]),
        ("**/secret/*.txt", ["secret/a.txt", "a/b/secret/c.txt"], ["a/secret/b/c.txt"]),
        ("a/**/z", ["a/z", "a/b/c/z"], ["z"]),
        ("v[0-9].lock", ["v1.lock", "x/v2.lock"], ["va.lock"]),
        ("v[!0-9].lock", ["va.lock"], ["v1.lock"]),
        ("?.cfg", ["a.cfg"], ["ab.cfg"]),
        (r"\*.md", ["*.md"], ["a.md"]),
        ("[", ["["], ["a"]),
    ],
)
def test_patterns_are_read_as_git_reads_them(pattern: str, paths: list[str], others: list[str]) -> None:
    assert protected([*paths, *others], [pattern]) == tuple(paths)


def test_the_last_pattern_that_fits_decides() -> None:
    assert protected(["a/1", "a/2"], ["a/**", "!a/2"]) == ("a/1",)
    assert protected(["a/1"], []) == ()


# -- what is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            Changed("Makefile", "changed", "test:\n\tpytest\n", "test:\n\ttrue\n"),
            "checks",
            "defines what the checks do",
        ),
        (Changed("sub/tox.ini", "added", "", "x"), "checks", "is new and defines what the checks do"),
        (Changed("pytest.ini", "removed", "x", ""), "checks", "is removed and defines what the checks do"),
        (Changed("conftest.py", "changed", "a", "b"), "tests", "is changed and controls how the tests run"),
        (Changed("tests/test_a.py", "removed", PYTEST), "tests", "its tests are removed (2: test_one, test_two)"),
        (Changed("tests/test_a.py", "changed", PYTEST, PYTEST[:45]), "tests", "tests are removed (1: test_two)"),
        (Changed("old/a.txt", "renamed", PYTEST, PYTEST, old="tests/test_a.py"), "tests", "it is old/a.txt now"),
        (
            Changed("tests/test_a.py", "changed", PYTEST, "import pytest\n@pytest.mark.skip\n" + PYTEST),
            "tests",
            "1 more test is skipped",
        ),
        (
            Changed("tests/test_a.py", "changed", PYTEST, PYTEST.replace("    assert 2\n", "")),
            "tests",
            "fewer assertions: 3 before, 2 now",
        ),
        (
            Changed("a.test.ts", "changed", "it('x', () => {expect(1)})", "it.only('x', () => {expect(1)})"),
            "tests",
            "skipped",
        ),
        (Changed("ATest.java", "changed", "@Test void a(){}", "@Disabled @Test void a(){}"), "tests", "skipped"),
        (Changed("src/lib.rs", "changed", "#[test]\nfn a(){}", "#[test]\n#[ignore]\nfn a(){}"), "tests", "skipped"),
        (
            Changed("x_test.go", "changed", "func TestA(t *T){\n t.Fatal()}", "func TestA(t *T){\n t.Skip()}"),
            "tests",
            "skipped",
        ),
    ],
)
def test_what_a_change_does_to_its_judge_is_told(change: Changed, kind: str, words: str) -> None:
    found = told(change)
    assert any(k == kind and words in text for k, text in found), found


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("tests/test_a.py", "    assert 1\n", "    raise unittest.SkipTest('x')\n    assert 1\n"),
        ("tests/test_a.py", "    assert 1\n", "    skip('later')\n    assert 1\n"),
        ("tests/test_a.py", "def test_one():\n", "__test__ = False\n\ndef test_one():\n"),
        ("tests/test_a.py", "def test_one():\n", "def test_one():\n    return\n"),
        ("tests/test_a.py", "def test_one():\n", "if False:\n  def test_one():\n"),
        ("a.test.js", "test.concurrent('x', f)", "test.concurrent.only('x', f)"),
        ("a.test.mjs", "test('x', f)", "test('x', { skip: true }, f)"),
        ("test/a.js", "it('x', function () {", "it('x', function () { this.skip()"),
        ("src/lib.rs", "#[test]\nfn a() {}", "#[test]\n#[cfg_attr(all(), ignore)]\nfn a() {}"),
        ("src/lib.rs", "#[cfg(test)]\nmod t {}", "#[cfg(any())]\nmod t {}"),
        ("a_test.go", "package a\n", "//go:build ignore\n\npackage a\n"),
        ("spec/a_spec.rb", "it 'x' do\n", "it 'x' do\n  skip 'later'\n"),
        ("spec/a_spec.rb", "describe 'x' do\n", "xdescribe 'x' do\n"),
        ("spec/a_spec.rb", "it 'x' do\n", "it 'x', :skip do\n"),
        ("tests/ATest.php", "function testA() {", "function testA() { $this->markTestSkipped();"),
        ("test/a_test.exs", 'test "x" do', '@tag :skip\ntest "x" do'),
        ("Tests/ATests.swift", "func testA() {", "func testA() throws { throw XCTSkip()"),
        ("ATest.java", "@Test void a() {", "@Test void a() { assumeTrue(false);"),
        ("tests/a.bats", '@test "x" {\n', '@test "x" {\n  skip\n'),
        ("test/a_test.dart", "test('x', f);", "test('x', f, skip: 'later');"),
        ("tests/a_test.cc", "TEST(A, B) {}", "TEST(A, DISABLED_B) {}"),
    ],
)
def test_a_test_can_be_skipped_in_many_ways(path: str, before: str, after: str) -> None:
    assert any("skipped" in text for _, text in told(Changed(path, "changed", before, after)))


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("tests/test_a.py", "    if not there:\n        skip('no')\n    assert x\n", "    skip('no')\n    assert x\n"),
        ("tests/test_a.py", "@pytest.mark.skipif(old, reason='x')\n", "@pytest.mark.skip(reason='x')\n"),
        ("tests/test_a.py", "@pytest.mark.skipif(\n    old,\n)\n", "@pytest.mark.skipif(\n    True,\n)\n"),
        (
            "tests/test_a.py",
            "    if windows:\n        self.skipTest('')\n",
            "    if linux:\n        self.skipTest('')\n",
        ),
        ("a.test.js", "it.skipIf(old)('x', f)", "it.skip('x', f)"),
        ("a_test.go", "\tif short {\n\t\tt.Skip()\n\t}\n", "\tif true {\n\t\tt.Skip()\n\t}\n"),
        ("ATest.java", "    assumeTrue(there);\n", "    assumeTrue(false);\n"),
    ],
)
def test_a_skip_that_loses_its_condition_is_told(path: str, before: str, after: str) -> None:
    """It is no new one: only what it says, or what stands above it, tells."""
    assert told(Changed(path, "changed", before, after)) == [
        ("tests", f"{path}: what skips its tests has changed: they may be skipped more often")
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    if a:\n        skip('no')\n", "    if a:\n        # why\n        skip('not yet')\n"),
        ("@pytest.mark.skipif(a, reason='x')\n", "@pytest.mark.skipif( a, reason='y' )\n"),
        ("    skip('no')\n    assert x\n", "    assert x\n"),
        ("def test_a():\n    skip('no')\n", "def test_a(tmp_path):\n    skip('no')\n"),
    ],
)
def test_a_skip_under_the_condition_that_it_had_is_not_told(before: str, after: str) -> None:
    assert told(Changed("tests/test_a.py", "changed", before, after)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            Changed("tests/test_a.py", "changed", PYTEST, PYTEST.replace("test_two", "test_other")),
            "tests are removed or renamed (test_two)",
        ),
        (Changed("tests/test_a.py", "changed", PYTEST, f'"""\n{PYTEST}"""\n'), "removed (2: test_one, test_two)"),
        (Changed("a.test.js", "changed", "it('y', f)\n", "/*\nit('y', f)\n*/\n"), "removed (1: y)"),
        (Changed("tests/a.bats", "changed", '@test "x" {\n}\n', ""), "removed (1: x)"),
        (Changed("tests/a_test.cc", "changed", "TEST(A, C) {\n}\n", ""), "removed (1: A, C)"),
        (Changed("tests/ATest.php", "changed", "public function testB() {}", ""), "removed (1: testB)"),
        (Changed("tests/old_a.py", "renamed", PYTEST, PYTEST, old="tests/test_a.py"), "it is tests/old_a.py now"),
        (Changed("test_a.py", "renamed", PYTEST, PYTEST, old="tests/test_a.py"), "it is test_a.py now"),
        (
            Changed("tests/test_a.py", "changed", PYTEST, PYTEST.replace("f() == 2", "True")),
            "1 more of its assertions cannot fail",
        ),
        (Changed("Tests/ATests.swift", "changed", "XCTAssert(a)\nXCTAssert(b)", ""), "fewer assertions: 2 before"),
    ],
)
def test_tests_that_are_not_run_any_more_or_cannot_fail_are_told(change: Changed, words: str) -> None:
    assert any(words in text for _, text in told(change)), told(change)


@pytest.mark.parametrize(
    "command",
    [
        "cd ci && ./run.sh",
        "MODE=x ci/run.sh -v",
        "env A=1 timeout 60 ci/run.sh",
        "true && ci/run.sh; true",
        ". ci/run.sh",
        "uv run ci/run.sh",
        "bundle exec ci/run.sh",
        "bash -ec 'cd ci && ./run.sh'",
        "(cd x/../ci; sh run.sh) | tee log",
    ],
)
def test_a_script_is_found_however_it_is_called(command: str) -> None:
    assert "ci/run.sh" in scripts([command])


def test_what_lies_before_an_installed_program_is_a_definition() -> None:
    assert told(Changed("pytest.py", "added"), commands=("python -m pytest -q",))
    assert told(Changed("sitecustomize.py", "added"))
    assert told(Changed("sub/.cargo/config.toml", "added", "", "[alias]\ntest = 'version'\n"))
    assert scripts(["echo 'not closed", "make test", "pytest tests/a.py > out/log"]) == set()


@pytest.mark.parametrize(
    "change",
    [
        Changed("tests/test_m.py", "changed", PYTEST, PYTEST + "\nmodel.fit(x)\n# pytest.skip('x')\n"),
        Changed("src/app.py", "changed", "assert x", ""),
        Changed("tests/test_a.py", "added", "", PYTEST),
        Changed("tests/test_b.py", "renamed", PYTEST, PYTEST, old="tests/test_a.py"),
        Changed("tests/test_a.py", "changed", PYTEST, PYTEST + "\n\ndef test_three():\n    assert 3\n"),
        Changed("pyproject.toml", "changed", "[tool.pytest.x]\na=1", "[project]\nname='b'\n[tool.pytest.x]\na=1"),
        Changed("package.json", "changed", '{"scripts":{"a":"b"}}', '{"dependencies":{"a":"1"},"scripts":{"a":"b"}}'),
        Changed("README.md", "removed", "x"),
    ],
)  # fmt: skip
def test_ordinary_work_is_not_told(change: Changed) -> None:
    assert told(change) == []
    assert judged_by([change], ["make test"]) == []


def test_the_scripts_that_commands_run_are_definitions_and_what_they_look_at_is_not() -> None:
    assert scripts(SHELL) == {
        "ci/check.sh",
        "run",
        "build.mk",
        "tools/verify.py",
        "ci/two.sh",
        "pkg.py",
        "pkg/__main__.py",
    }
    assert told(Changed("ci/check.sh", "changed", "a", "true"), commands=("sh ./ci/check.sh",))
    assert not told(Changed("model.txt", "changed", "a", "b"), commands=("test -f model.txt",))


def test_very_many_are_cut_and_odd_names_are_text() -> None:
    found = remarks_on([Changed(f"t/test_{n}.py", "removed") for n in range(100)], sha="h", commands=(), patterns=())
    assert (len(found.remarks), found.more) == (40, 60)
    odd = remarks_on([Changed("ci/\udcff.yml", "added")], sha="h", commands=(), patterns=["ci/**"])
    assert json.loads(odd.model_dump_json())["protected"] == ["ci/\\xff.yml"]


def test_what_is_a_test() -> None:
    for path in (
        "tests/a.py",
        "test_x.py",
        "x_test.go",
        "src/a.spec.ts",
        "src/__tests__/a.js",
        "FooTest.java",
        "spec/a_spec.rb",
    ):
        assert is_test(path), path
    for path in ("src/latest.py", "tests/data.json", "contest.py", "src/attest.go", ""):
        assert not is_test(path), path


# -- the base's own definitions ----------------------------------------------------------------------------


def test_a_definition_is_restored_and_the_rest_stays() -> None:
    """What a manifest judges with is as it was; what it needs is as it is."""
    before = {"scripts": {"test": "jest"}, "dependencies": {}}
    after = {"scripts": {"test": "true"}, "dependencies": {"left": "1"}, "jest": {"testMatch": []}}
    package = Changed("package.json", "changed", json.dumps(before), json.dumps(after))
    assert judged_by([package], []) == [package]
    assert json.loads(restored(package) or "") == {"scripts": {"test": "jest"}, "dependencies": {"left": "1"}}
    project = Changed(
        "pyproject.toml",
        "changed",
        '[project]\nname = "a"\n[tool.pytest.ini_options]\naddopts = "-q"\n',
        '[project]\nname = "a"\ndependencies = ["x"]\n[tool.pytest.ini_options]\naddopts = "--co"\n[tool.uv]\nx = 1\n',
    )
    assert tomllib.loads(restored(project) or "") == {
        "project": {"name": "a", "dependencies": ["x"]},
        "tool": {"pytest": {"ini_options": {"addopts": "-q"}}, "uv": {"x": 1}},
    }
    assert restored(Changed("pytest.ini", "added", "", "x")) is None
    assert restored(Changed("Makefile", "removed", "test:\n")) == "test:\n"
    assert restored(Changed("package.json", "changed", "{}", "no json")) == "{}"
    moved = judged_by([Changed("b/Makefile2", "renamed", "x", "x", old="Makefile")], [])
    assert [(one.path, one.how) for one in moved] == [("Makefile", "removed")]


# -- the gate ----------------------------------------------------------------------------------------------


def test_a_person_approves_one_exact_commit() -> None:
    """Protected paths and a doubt of the base's checks wait, another commit anew; nobody is asked for nothing."""
    warnings = ReviewWarnings(sha="head", protected=("CODEOWNERS",))
    doubt = Verdict(passed=False, sha="head", why="`make test` failed")
    for item in (passed(review_warnings=warnings), passed(doubt=doubt)):
        for policy in (Policy(), Policy(auto_merge=False, settle_on="approved")):
            step = gates.next_step(item, policy)
            assert isinstance(step, gates.Hold)
            assert step.reason is WaitReason.APPROVAL
            assert "`tt mission approve " in step.remedy
            assert not isinstance(gates.next_step(item.evolve(human_approved="head"), policy), gates.Hold)
            assert isinstance(gates.next_step(item.evolve(human_approved="older"), policy), gates.Hold)
    stale = passed(review_warnings=warnings.evolve(sha="older"), doubt=doubt.evolve(sha="older"))
    assert gates.next_step(stale, Policy()) == gates.Run(gates.Purpose.MERGE)
    # The review comes first: a person decides about what was judged.
    assert gates.next_step(with_change(checked="head", review_warnings=warnings), Policy()) == gates.Run(
        gates.Purpose.REVIEW
    )
    assert lifecycle.settle(passed(review_warnings=warnings), now=1.0) is not None
    assert a_mission().policy.protected == ()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", "*.py working-tree-encoding=ISO646-FR\n", True),
        ("*.rc text\n", "*.rc text working-tree-encoding=UTF-16\n", True),
        ("[attr]odd working-tree-encoding=EBCDIC-US\n", "[attr]odd working-tree-encoding=IBM037\n", True),
        ("*.rc working-tree-encoding=UTF-16\n", "*.rc working-tree-encoding=UTF-16\n*.txt text\n", False),
        ("*.rc working-tree-encoding=UTF-16\n", "", False),
        ("", "# working-tree-encoding is for others\n", False),
    ],
)
def test_files_that_are_written_in_another_encoding_are_told_of(before: str, after: str, told: bool) -> None:
    """A reviewer reads what is committed; a machine runs what lies on the disk."""
    change = Changed("sub/.gitattributes", "changed", before, after)
    assert relevant(change.path, [])
    found = remarks_on([change], sha="a", commands=[], patterns=[]).remarks
    assert [(one.kind, "another encoding" in one.text) for one in found] == ([("checks", True)] if told else [])
