"""Files of plans for tests: short ones from lines, and random ones in every way that TOML can be written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from hypothesis import strategies as st

from tinytown.missions.states import ItemState
from tinytown.plans.model import STATES, WORDS, Task
from tinytown.plans.reader import Reading, read
from tinytown.plans.stages import Stages

SOURCE = "tasks.toml"

#: Both pipelines of the tutorial.
FEATURE = """\
[meta]
description = "User Profile Feature Pipeline"

# Epic (parent task)
[[tasks]]
id = "profile-epic"
description = "Implement user profile feature"
status = "pending"
tags = ["epic", "q1-2024"]

# Subtasks under the epic
[[tasks]]
id = "design"
description = "Design profile API schema"
agent = "architect"
status = "pending"
parent = "profile-epic"
tags = ["design"]

[[tasks]]
id = "implement"
description = "Implement profile endpoints"
agent = "developer"
status = "pending"
parent = "profile-epic"
tags = ["backend"]

[[tasks]]
id = "test"
description = "Write profile API tests"
agent = "tester"
status = "pending"
parent = "profile-epic"
tags = ["testing"]

[[tasks]]
id = "review"
description = "Review profile implementation"
agent = "reviewer"
status = "pending"
parent = "profile-epic"
tags = ["review"]
"""
STAGED = """\
[meta]
description = "Code Review Pipeline"
default_agent = "developer"

[[tasks]]
id = "lint"
description = "Run linting on src/"
agent = "linter"
status = "pending"

[[tasks]]
id = "build"
description = "Build the project"
agent = "builder"
status = "pending"
parent = "lint"

[[tasks]]
id = "test"
description = "Run test suite"
agent = "tester"
status = "pending"
parent = "build"

[[tasks]]
id = "review"
description = "Code review"
agent = "reviewer"
status = "pending"
parent = "test"

[[tasks]]
id = "deploy"
description = "Deploy to staging"
agent = "deployer"
status = "pending"
parent = "review"
"""


def reading(text: str) -> Reading:
    """A text, read."""
    return read(text.encode(), source=SOURCE)


def stages(*tasks: str, meta: str = "") -> Stages:
    """A plan that is sound, understood; each task is its id and more keys, e.g. ``a parent="b"``."""
    found = reading(text_of(*tasks, meta=meta))
    assert not found.problems, found.problems
    return found.stages


def text_of(*tasks: str, meta: str = "") -> str:
    """The text of such a plan."""
    lines = [f"[meta]\n{meta}\n"]
    for task in tasks:
        id_, _, more = task.partition(" ")
        rest = more.replace("; ", "\n")
        lines.append(f'[[tasks]]\nid = "{id_}"\ndescription = "do {id_}"\n{rest}\n')
    return "\n".join(lines)


def large(count: int) -> str:
    """A plan of many tasks, each after the one before."""
    parents = ["", *(f'parent = "task-{i:05}"' for i in range(count))]
    return "[meta]\n" + "".join(
        f'# step {i}\n[[tasks]]\nid = "task-{i:05}"\ndescription = "Do thing number {i}"\nagent = "developer"\n'
        f'status = "pending"\n{parents[i]}\ntags = ["a", "b"]\n\n'
        for i in range(count)
    )


# -- random files --------------------------------------------------------------------------------

#: Anything that a file may hold, line ends as TOML reads them.
WORDS_OF_PEOPLE = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from(['"', "'", "\\", "\n", "#", "[", "]", "{", "}", "="]),
    max_size=30,
).map(lambda text: text.replace("\r", "\n"))
_COMMENTS = st.sampled_from(["", " # why", '  # [[tasks]] id = "no"', " # ''' \"\"\" ["])
_HEADERS = st.sampled_from(["[[tasks]]", "[[ tasks ]]", '[["tasks"]]  # it'])
_GAPS = st.sampled_from(["", "\n", "# about this one\n", "\n# [[tasks]]\n\n"])


def tasks() -> st.SearchStrategy[list[Task]]:
    """Tasks that are a sound plan, each with its id and what it needs."""
    task = st.builds(
        partial(Task),  # Hypothesis would make up what a tuple's other fields are.
        id=st.just("x"),
        description=WORDS_OF_PEOPLE.map(lambda text: text + "."),
        agent=st.sampled_from([None, "backend"]),
        status=st.sampled_from(list(WORDS)),
        tags=st.lists(WORDS_OF_PEOPLE.filter(str.strip), max_size=2, unique=True).map(tuple),
        result=WORDS_OF_PEOPLE,
    )
    return st.lists(task, max_size=5).map(
        lambda found: [one._replace(id=f"t{number}") for number, one in enumerate(found)]
    )


@st.composite
def files(draw: st.DrawFn, tasks: Sequence[Task]) -> bytes:
    """One of the many ways to write these tasks."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    if draw(st.booleans()):
        elements = [", ".join(_entries(draw, task, inline=True)) for task in tasks]
        between = draw(st.sampled_from([", ", ",\n  ", ", # more\n"]))
        text = "tasks = [" + between.join(f"{{ {one} }}" for one in elements) + draw(st.sampled_from(["]", "\n]\n"]))
    else:
        text = draw(st.sampled_from(["", "[meta]\n", '[meta] # it\ndescription = """\n[[tasks]]\n"""\n']))
        for task in tasks:
            indent = draw(st.sampled_from(["", "  ", "\t"]))
            lines = [f"{indent}{entry}{draw(_COMMENTS)}" for entry in _entries(draw, task, inline=False)]
            text += draw(_GAPS) + "\n".join([draw(_HEADERS), *lines])
            text += "\n"
        text = text if draw(st.booleans()) else text.removesuffix("\n")
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return (mark + text.replace("\n", newline)).encode()


def _entries(draw: st.DrawFn, task: Task, *, inline: bool) -> list[str]:
    words = [word for word, state in STATES.items() if state is task.status]
    entries = [f"id = '{task.id}'", f"description = {_string(draw, task.description, inline)}"]
    if task.agent is not None:
        entries.append(f'"agent" = "{task.agent}"')
    if task.status is not ItemState.PENDING or draw(st.booleans()):
        entries.append(f'status  =  "{draw(st.sampled_from(words))}"')
    if task.tags or draw(st.booleans()):
        entries.append(f"tags = [{', '.join(_string(draw, tag, inline) for tag in task.tags)}]")
    if task.result or draw(st.booleans()):
        entries.append(f"result = {_string(draw, task.result, inline)}")
    return draw(st.permutations(entries))


def _string(draw: st.DrawFn, text: str, inline: bool) -> str:
    one = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    ways = [one]
    plain = all(sign in "\n\t" or (sign >= " " and sign != "\x7f") for sign in text)
    if plain and "'" not in text and "\n" not in text:
        ways.append(f"'{text}'")
    if plain and "'" not in text and not inline:
        ways.append(f"'''\n{text}'''")
    if not inline:
        ways.append(
            '"""\n'
            + "\n".join(json.dumps(part, ensure_ascii=False)[1:-1] for part in text.split("\n")).replace(
                "\x7f", "\\u007f"
            )
            + '"""'
        )
    return draw(st.sampled_from(ways))
