"""The rules that a repository holds for those who work on it, as briefs have them."""

from __future__ import annotations

from tests.fakes.repositories import Repository
from tinytown.missions.brief_inputs import Rules
from tinytown_workers.purposes.brief_inputs import house_rules


def rules(repository: Repository, *known: str) -> list[Rules]:
    return list(house_rules(repository.root / ".git", repository.rev("HEAD"), known=known))


def test_the_rules_of_a_commit_are_read_and_not_those_of_the_folder(repository: Repository) -> None:
    repository.commit("Rules", {"AGENTS.md": "Tabs.\n", "docs/CONTRIBUTING.md": "Tests.\n", "src/AGENTS.md": "Deep.\n"})
    repository.write({"AGENTS.md": "Spaces.\n", "CLAUDE.md": "New.\n"})
    assert rules(repository) == [Rules("AGENTS.md", "Tabs.\n"), Rules("docs/CONTRIBUTING.md", "Tests.\n")]


def test_what_the_cli_reads_by_itself_is_named_and_no_twin_of_it_shown(repository: Repository) -> None:
    repository.commit("Rules", {"AGENTS.md": "Tabs.\n", "CLAUDE.md": "Tabs.\n", "GEMINI.md": "Other.\n"})
    assert rules(repository, "CLAUDE.md") == [Rules("CLAUDE.md", known=True), Rules("GEMINI.md", "Other.\n")]


def test_links_and_huge_files_are_not_read(repository: Repository) -> None:
    """A link may lead out of the repository; a folder of that name is no rule."""
    (repository.root / "CLAUDE.md").symlink_to("/etc/hostname")
    repository.commit("Rules", {"AGENTS.md": "x" * (2 << 20), "GEMINI.md/notes": "a folder"})
    (one,) = rules(repository)
    assert one.name == "AGENTS.md"
    assert "too large" in one.text
