"""What one argument of a program may hold: the kernel counts its bytes, and refuses to start a program over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

#: Bytes of one argument, or of one variable with its name, without the zero that ends it: 32 pages of 4 KiB.
ARGUMENT_BYTES = 131_071

_PLACEHOLDER = re.compile(r"\{(prompt|prompt_file)\}")


def placeholders(template: Sequence[str]) -> set[str]:
    """Which of ``prompt`` and ``prompt_file`` a command wants."""
    return {name for part in template for name in _PLACEHOLDER.findall(part)}


def filled(template: Sequence[str], prompt: str, prompt_file: Path) -> list[str]:
    """A command with its placeholders replaced, each once: what stands in their place is left alone."""
    values = {"prompt": prompt, "prompt_file": str(prompt_file)}
    return [_PLACEHOLDER.sub(lambda match: values[match[1]], part) for part in template]


def fits(text: str) -> bool:
    """Whether ``text`` can be one argument."""
    return in_bytes(text) <= ARGUMENT_BYTES


def in_bytes(text: str) -> int:
    """Its length as an argument, in bytes."""
    return len(text.encode(errors="surrogatepass"))


def or_pointer(prompt: str, file: Path) -> str:
    """The brief itself if it can be an argument, else a sentence that sends the agent to the file with the brief.

    Only for CLIs that take the brief in no other way.
    """
    return prompt if fits(prompt) else pointer(file)


def pointer(file: Path) -> str:
    """A prompt that tells the agent to read the brief in ``file``."""
    return f"Your task is in the file {file}. Read the whole of it first, then do exactly what it says."
