"""What graphs in the language of Mermaid have in common."""

from __future__ import annotations

import re

from tinytown.cli.render import safe


def label(text: str, *, limit: int = 200) -> str:
    """Text from outside, escaped: Mermaid must not take anything in it for a quote, a tag or an entity."""
    plain = safe(text)
    plain = plain if len(plain) <= limit else f"{plain[: limit - 1].rstrip()}…"
    # First of all, so that it does not change the entities below: `#39;` in a title is no entity.
    plain = re.sub(r"#(?=\w+;)", "#35;", plain).replace("&", "#38;")
    for sign, code in (('"', "#34;"), ("<", "#60;"), (">", "#62;"), ("`", "#96;")):
        plain = plain.replace(sign, code)
    return plain
