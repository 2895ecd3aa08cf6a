"""Documents that a mission names: read once, when it starts, so that every brief has them as its starter saw them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinytown.errors import ConfigurationError

#: Largest document, in bytes.
MAX_DOC = 1 << 20
#: Folders in the repository that hold what is nobody's document.
_OURS = frozenset({".git", ".tt"})


def read_documents(root: Path, names: Sequence[str]) -> dict[str, str]:
    """The texts of these documents, by their paths relative to the repository.

    Raises:
        ConfigurationError: one is no regular UTF-8 file inside the repository, or too large.
    """
    return dict(_read(root, name) for name in names)


def _read(root: Path, name: str) -> tuple[str, str]:
    path = Path(name) if Path(name).is_absolute() else root / name
    try:
        real = path.resolve(strict=True)
        relative = real.relative_to(root.resolve())
        if _OURS & set(relative.parts) or not real.is_file() or real.stat().st_size > MAX_DOC:
            raise ValueError
        return str(relative), real.read_bytes().decode("utf-8")
    except (OSError, RuntimeError, ValueError):  # A loop of links is one or the other.
        raise ConfigurationError(
            f"{name[:200]} is not a text file of at most {MAX_DOC >> 10} KB inside the repository",
            remedy="name a document of the repository",
        ) from None
