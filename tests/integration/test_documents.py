"""Documents of a mission: regular text files of the repository, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinytown.engine.start.documents import MAX_DOC, read_documents
from tinytown.errors import ConfigurationError


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with a document, and with everything that is none."""
    root = tmp_path / "repository"
    for folder in ("docs", ".git", ".tt"):
        (root / folder).mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "docs" / "spec.md").write_text("How it is.\n")
    (root / "docs" / "link.md").symlink_to("spec.md")
    (root / "docs" / "out.md").symlink_to(tmp_path / "secret")
    (root / "docs" / "loop.md").symlink_to("loop.md")
    (root / "docs" / "data.bin").write_bytes(b"\xff\xfe\x00")
    (root / "docs" / "large.md").write_text("x" * (MAX_DOC + 1))
    (root / ".git" / "config").write_text("[remote]")
    (root / ".tt" / "town.json").write_text("{}")
    os.mkfifo(root / "docs" / "pipe")
    return root


@pytest.mark.parametrize("name", ["docs/spec.md", "docs/../docs/spec.md", "docs/link.md"])
def test_a_document_is_known_by_its_path_in_the_repository(repository: Path, name: str) -> None:
    assert read_documents(repository, [name, str(repository / name)]) == {"docs/spec.md": "How it is.\n"}


@pytest.mark.parametrize(
    "name",
    ["docs/out.md", "docs/loop.md", "docs/data.bin", "docs/large.md", "docs/pipe", "docs", "docs/none.md", "",
     "../secret", "/dev/zero", "/etc/passwd", ".git/config", ".tt/town.json", "a\0b", "x" * 5000],
)  # fmt: skip
def test_what_is_no_document_of_the_repository_is_refused(repository: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a text file of at most 1024 KB inside the repository"):
        read_documents(repository, [name])
