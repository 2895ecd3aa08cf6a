"""The ``tasks.toml`` that ``tt plan --init`` writes: it is a plan as it is, and says what else one can have."""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = """\
# The plan of this project: tasks for agents, and their order. `tt plan` shows it and names mistakes.
# Lines that begin with `#` are comments; remove the `#` to use one.

[meta]
description = "Task plan for this project"
# default_agent = "backend"     # the agent or role for tasks that name none
# reviewer_required = true      # have each change approved by a reviewer
# base = "main"                 # the branch that changes are merged into
# checks = ["make test"]        # commands that each change must pass
# budget_usd = 5.0              # pause when this much has been spent
# budget_tokens = 2_000_000     # the same for tokens

[[tasks]]
id = "example-1"
description = "Write HELLO.md: one paragraph that says what this project is for"
status = "pending"
tags = ["example"]

[[tasks]]
id = "example-2"
description = "Add to HELLO.md how to run the tests of this project"
status = "pending"
depends_on = ["example-1"]      # it starts when all of these are done
tags = ["example"]

# A task can also have:
#
# agent = "tester"              # the agent or role that does it
# parent = "other-id"           # it runs after that task, or belongs to it if that is an epic
# result = "…"                  # what it left; written for you
#
# An epic groups tasks. They run one after the other, in the order of this file, and it is done when they are:
#
# [[tasks]]
# id = "profile"
# description = "User profiles"
# tags = ["epic"]
# parallel = true               # its tasks may run at the same time
#
# [[tasks]]
# id = "schema"
# description = "Design the profile API schema"
# agent = "designer"
# parent = "profile"
"""
