"""What one argument of a program may hold: the kernel counts its bytes, and refuses to start a program over it."""

from __future__ import annotations

from pathlib import Path

#: Bytes of one argument, or of one variable with its name, without the zero that ends it: 32 pages of 4 KiB.
ARGUMENT_BYTES = 131_071


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
