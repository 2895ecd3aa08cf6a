"""Names that people call agents by, for those who were given none."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

#: Short, easy to say and to tell apart.
NAMES = (
    "Abel", "Ada", "Agnes", "Alba", "Alma", "Amos", "Anton", "Arlo", "Astrid", "Axel", "Basil", "Bea", "Bruno",
    "Cara", "Carl", "Cleo", "Cora", "Cyrus", "Dag", "Dara", "Dora", "Edda", "Edgar", "Elsa", "Emil", "Enzo", "Erik",
    "Esther", "Ezra", "Fay", "Felix", "Finn", "Flora", "Frida", "Gil", "Greta", "Gus", "Hanna", "Hazel", "Hugo",
    "Ida", "Igor", "Ines", "Ira", "Iris", "Ivo", "Jana", "Jasper", "Joan", "Jonas", "Juno", "Kai", "Karin", "Kira",
    "Klaus", "Lars", "Lea", "Leo", "Lidia", "Linus", "Lotte", "Luca", "Mabel", "Magnus", "Maja", "Marta", "Max",
    "Mila", "Milo", "Mina", "Nadia", "Nell", "Nico", "Nils", "Nora", "Olaf", "Olga", "Oscar", "Otis", "Otto",
    "Paula", "Pia", "Quinn", "Rafael", "Ralf", "Rhea", "Rita", "Rosa", "Ruben", "Ruth", "Sami", "Sara", "Selma",
    "Silas", "Sofia", "Stella", "Sven", "Tara", "Tess", "Theo", "Tilda", "Timo", "Tova", "Ulla", "Uma", "Vera",
    "Viktor", "Wanda", "Willa", "Xenia", "Yara", "Yuri", "Zack", "Zelda", "Zora",
)  # fmt: skip


def pick(agent: str, taken: Collection[str]) -> str:
    """A nickname for an agent: the same each time, as far as nobody else in its town is called so."""
    first = int.from_bytes(hashlib.sha256(agent.encode()).digest()[:4], "big")
    used = {name.casefold() for name in taken}
    order = (NAMES[(first + step) % len(NAMES)] for step in range(len(NAMES)))
    # In a larger town the agent's own name tells them apart.
    return next((name for name in order if name.casefold() not in used), NAMES[first % len(NAMES)])
