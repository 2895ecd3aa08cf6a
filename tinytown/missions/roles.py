"""Roles: which kind of worker an issue wants, and by which words that is recognised.

A role is named by the manifest, else by a label (``role:backend`` or the bare word), else by the first
matching whole word of the title, else of the body; without any of these it is ``worker``. Aliases resolve
to the role's own name before a queue is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tinytown import contract
from tinytown.errors import ConfigurationError
from tinytown.missions.records.issue import Issue
from tinytown.missions.role_names import BUILT_IN, DEFAULT, REVIEWER
from tinytown.nearest import nearest
from tinytown.settings import RoleSettings

#: What an item of this role produces; every other role implements.
_KINDS: Final[Mapping[str, str]] = {
    "designer": "design",
    "tester": "test",
    REVIEWER: "review",
    "researcher": "research",
    "docs": "docs",
}
#: Every kind a work item can be of.
KINDS: Final = ("design", "implement", "test", "review", "research", "docs", "fix")

#: What has a queue of its own, or is a person: work with such a role would go there.
_OF_TOWN: Final = contract.NO_AGENTS | set(contract.QUEUES_OF_TOWN)
_LABEL = "role:"
_WORD = re.compile(r"[^\W_]+(?:[-_][^\W_]+)*")
#: A name is at most 48 characters long; a longer run of joined words names no role.
_WORD_LENGTH = 48


class RoleBook:
    """The roles of one town: the built-in ones and those under ``[roles.NAME]``.

    A configured role may take over an alias of a built-in one; two configured roles may not claim the same word, and
    none may claim the name of another role.

    Raises:
        ConfigurationError: a role or an alias is not a name, means a part of the town, or is claimed twice.
    """

    def __init__(self, roles: Mapping[str, RoleSettings] | None = None) -> None:
        own = roles or {}
        self._names: dict[str, str] = {name: name for name in (*BUILT_IN, *own)}
        self._aliases: dict[str, str] = {}
        for name in own:
            if not contract.is_name(name):
                raise ConfigurationError(f"[roles.{name}]: {name!r} is not a name", remedy=_NAME_RULE)
            if name in _OF_TOWN:
                raise ConfigurationError(f"[roles.{name}]: `{name}` is a part of the town", remedy="rename the role")
        for role, settings in own.items():
            for alias in settings.aliases:
                self._claim(alias, role)
        for role, aliases in BUILT_IN.items():
            for alias in aliases:
                if alias not in self._names:
                    self._aliases.setdefault(alias, role)

    @property
    def names(self) -> tuple[str, ...]:
        """Every role, built-in ones first, without aliases."""
        return tuple(self._names)

    def resolve(self, name: str) -> str:
        """The role that ``name`` is or is an alias of, in any case.

        Raises:
            ConfigurationError: there is no such role; similar ones are listed.
        """
        role = self.find(name)
        if role is None:
            near = nearest(name.strip().lower(), [*self._names, *self._aliases], count=3)
            words = ", ".join(f"`{word}`" for word in near or self._names)
            hint = f"did you mean {words}? Else" if near else f"use one of {words}, or"
            raise ConfigurationError(f"there is no role {name[:80]!r}", remedy=f"{hint} add it under [roles.NAME]")
        return role

    def find(self, name: str) -> str | None:
        """The role that ``name`` is or is an alias of, or ``None``."""
        word = name.strip().lower()
        return self._names.get(word) or self._aliases.get(word)

    def role_for(self, issue: Issue, override: str | None = None) -> tuple[str, bool]:
        """The role of an issue, and whether a person named it; ``override`` is the manifest's ``owner_role``.

        Raises:
            ConfigurationError: the manifest or a ``role:`` label names a role that there is not.
        """
        if override is not None:
            return self.resolve(override), True
        if (labelled := self._labelled(issue)) is not None:
            return labelled, True
        return self._mentioned(issue.title) or self._mentioned(issue.body) or DEFAULT, False

    def role_of_agent_name(self, name: str) -> str:
        """The role of an agent that was given none: the one it is called by, else ``worker``."""
        return self.find(name) or DEFAULT

    def _labelled(self, issue: Issue) -> str | None:
        for label in issue.labels:
            if label.strip().lower().startswith(_LABEL):
                try:
                    return self.resolve(label.strip()[len(_LABEL) :])
                except ConfigurationError as error:
                    raise ConfigurationError(
                        f"{issue.key} has the label {label[:80]!r}, but {error.message}", remedy=error.remedy
                    ) from None
        return next((role for label in issue.labels if (role := self.find(label))), None)

    def _mentioned(self, text: str) -> str | None:
        for match in _WORD.finditer(text):
            word = match[0]
            if len(word) <= _WORD_LENGTH and (role := self.find(word)):
                return role
            if "-" in word or "_" in word:
                for part in re.split("[-_]", word):
                    if role := self.find(part):
                        return role
        return None

    def _claim(self, alias: str, role: str) -> None:
        if not contract.is_name(alias):
            raise ConfigurationError(f"[roles.{role}]: the alias {alias!r} is not a name", remedy=_NAME_RULE)
        if alias in _OF_TOWN:
            raise ConfigurationError(
                f"[roles.{role}]: the alias `{alias}` is a part of the town", remedy="choose another alias"
            )
        if self._names.get(alias, role) != role:
            raise ConfigurationError(
                f"[roles.{role}]: the alias `{alias}` is a role of its own", remedy="choose another alias"
            )
        if self._aliases.get(alias, role) != role:
            raise ConfigurationError(
                f"[roles.{role}]: the alias `{alias}` already belongs to `{self._aliases[alias]}`",
                remedy="remove it from one of them",
            )
        self._aliases[alias] = role


def kind_for(role: str) -> str:
    """The kind of an item that has this role; roles of the town's own implement."""
    return _KINDS.get(role, "implement")


_NAME_RULE = "use lower-case letters, digits, `-` and `_`, 48 at most"
