"""What a reviewer is shown of a change is what a machine runs: real commits, real git."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.fakes.repositories import Repository
from tinytown import characters
from tinytown.git import diffs
from tinytown.git.repository import Git


def change(repository: Repository, files: dict[str, str | bytes], **more: int) -> str:
    old = repository.rev("HEAD")
    new = repository.commit("Change", files)
    return diffs.diff(Git.own(repository.root / ".git"), old, new, **more)


def test_code_behind_a_line_break_that_only_a_language_sees_is_shown(repository: Repository) -> None:
    """Python runs the second line, and so does the reader see it."""
    code = b"x = 1  # fine\rprint('hidden')\n"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, check=True)
    assert done.stdout == b"hidden\n"
    text = characters.shown(change(repository, {"a.py": code, "b.js": "// fine\u2028run()\n", "c": "a\x0bb\x0c\x85\n"}))
    assert "+x = 1  # fine⟨U+000D CARRIAGE RETURN⟩print('hidden')" in text
    assert "+// fine⟨U+2028 LINE SEPARATOR⟩run()" in text
    assert "+a⟨U+000B LINE TABULATION⟩b⟨U+000C FORM FEED⟩⟨U+0085 NEXT LINE⟩" in text


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs sh")
def test_a_script_with_a_nul_byte_is_shown_as_text(repository: Repository) -> None:
    script = b"#!/bin/sh\n# \0\necho runs\n"
    text = characters.shown(change(repository, {"run.sh": script, "z.txt": "after\n"}))
    assert "+# ⟨U+0000 NULL⟩\n+echo runs" in text
    assert "It holds NUL characters" in text
    assert "+after" in text
    # Also where it was one already, and where it is removed.
    text = change(repository, {"run.sh": script + b"echo more\n"})
    assert "+echo more" in text
    old = repository.rev("HEAD")
    (repository.root / "run.sh").unlink()
    assert "-echo runs" in diffs.diff(Git.own(repository.root / ".git"), old, repository.commit("Gone"))


def test_binary_files_are_named_with_size_and_type(repository: Repository) -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    program = b"\x7fELF" + bytes(range(256)) * 20
    wide = "x = 1\n".encode("utf-16")
    files = {
        "a.png": image,
        "m/tool": program,
        "t.txt": "text\n",
        "w.reg": wide,
        "big": b"#!/bin/sh\n\0" + b"a" * 300_000,
    }
    text = change(repository, files)
    assert "Binary file: nothing became 2,056 bytes, image (PNG)" in text
    assert "Binary file: nothing became 5,124 bytes, program (ELF)" in text
    assert "Binary file: nothing became 14 bytes, text in UTF-16" in text
    assert "Binary file: nothing became 300,011 bytes" in text
    assert "+text" in text
    assert "differ" not in text
    # In order, each under its own header.
    assert text.index("a.png") < text.index("image (PNG)") < text.index("m/tool") < text.index("program (ELF)")
    again = change(repository, {"a.png": image + b"more"})
    assert "Binary file: 2,056 bytes, image (PNG) became 2,060 bytes, image (PNG)" in again


def test_nothing_vanishes(repository: Repository) -> None:
    """Bytes that are no UTF-8, a line of any length, attributes that call a file binary, a file of a strange name."""
    long = "a" * 50_000
    files = {
        "latin.py": b"# caf\xe9\n", "long.js": f"/* {long} */ run()\n", "hidden.py": "evil()\n",
        ".gitattributes": "hidden.py binary -diff\n", "\u202eeman.py": "x\n",
    }  # fmt: skip
    text = characters.shown(change(repository, files))
    assert "+# caf⟨byte 0xE9⟩" in text
    assert f"{long} */ run()" in text
    assert "+evil()" in text
    assert "⟨U+202E RIGHT-TO-LEFT OVERRIDE⟩eman.py" in text


def test_what_is_cut_is_named(repository: Repository) -> None:
    text = change(repository, {"a.txt": "a\n" * 400, "b.txt": "b\n" * 400, "c.bin": b"\0\1\2" * 90}, limit=1000)
    assert "[cut here: 1000 of" in text
    assert "b.txt, c.bin]" in text
