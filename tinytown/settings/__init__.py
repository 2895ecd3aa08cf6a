"""The configuration of a town: one model that reads, checks and writes ``tinytown.toml``.

``sections`` has every setting with its default and its meaning (``types``: the kinds of values); begin there. ``read``
finds the layers, merges them (``layers``) and explains what is wrong. ``known`` has each setting by its name, ``edit``
changes one in the text of a file, ``bots`` has the bots that review changes.

Precedence: flag > environment > ``tinytown.toml`` > ``~/.tt/config.toml`` > default. In the environment a setting is
``TINYTOWN_<SECTION>__<KEY>`` (top level ``TINYTOWN_CONFIG__<KEY>``); ``REDIS_URL`` wins for the server. Every duration
is in seconds. An unknown key is an error with a suggestion, because a misspelt limit is no limit.
"""

from tinytown.settings.bots import BotSettings
from tinytown.settings.read import FILE_NAME, find_root, layers_of, load, load_user, parse, server_variable, state_of
from tinytown.settings.sections import (
    PROTECTED,
    PROXY_PORT,
    AgentCliSettings,
    PolicySettings,
    RedisSettings,
    RoleSettings,
    SandboxSettings,
    Settings,
    WorkspaceSettings,
)

__all__ = [
    "FILE_NAME", "PROTECTED", "PROXY_PORT", "AgentCliSettings", "BotSettings", "PolicySettings",
    "RedisSettings", "RoleSettings", "SandboxSettings", "Settings", "WorkspaceSettings", "find_root", "layers_of",
    "load", "load_user", "parse", "server_variable", "state_of",
]  # fmt: skip
