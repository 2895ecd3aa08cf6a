"""The sections of ``tinytown.toml``: every setting, its default and its meaning. A new file is written from this."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import ByteSize, Field

from tinytown import hostnames
from tinytown.settings.forge import ForgeSettings
from tinytown.settings.hosts import HostSettings
from tinytown.settings.limits import LimitsSettings, RetentionSettings
from tinytown.settings.types import (
    Command,
    ExitCode,
    InnerPath,
    Listen,
    NonNegative,
    Pattern,
    Positive,
    RepositoryAddress,
    RepositoryPattern,
    Seconds,
    SecondsOrNever,
    Section,
    ShownPath,
    Size,
    split,
)

#: What decides how others judge a change, or runs on a person's machine: the CI's configuration, who owns what, git
#: hooks, and the town's own settings.
PROTECTED = (
    ".github/workflows/**", ".github/actions/**", ".gitlab-ci.yml", ".gitlab/ci/**", ".circleci/**", "Jenkinsfile",
    "azure-pipelines.yml", "bitbucket-pipelines.yml", ".buildkite/**", ".travis.yml", ".drone.yml", ".cirrus.yml",
    "appveyor.yml", ".appveyor.yml", ".woodpecker.yml", ".woodpecker/**", ".semaphore/**", ".teamcity/**",
    ".forgejo/**", ".gitea/**", ".github/settings.yml", ".mergify.yml", "renovate.json",
    "CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS", "tinytown.toml", "tasks.toml",
    ".githooks/**", ".husky/**", ".lefthook/**", "lefthook.yml", ".lefthook.yml", "lefthook-local.yml",
    ".pre-commit-config.yaml", ".pre-commit-hooks.yaml", ".overcommit.yml", ".overcommit/**", ".huskyrc*",
    ".simple-git-hooks.*",
)  # fmt: skip


class AgentSettings(Section):
    idle_timeout_secs: SecondsOrNever = Field(
        300, description="Stop an agent that was idle for so long; it starts again when there is work for it. 0: never."
    )


class RedisSettings(Section):
    url: str | None = Field(None, description="Server to use (default: the town runs its own).")
    insecure: bool = Field(False, description="Allow a server on the network that asks for no password.")

    @pydantic.field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        # The address itself stays untold: it may hold a password.
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            (parts.hostname or "").encode("idna")
            port = parts.port
        except ValueError as error:
            raise ValueError("is not a server address") from error
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with `redis://`, `rediss://` or `unix://`")
        if parts.scheme == "unix" and not parts.path:
            raise ValueError("names no socket")
        if port == 0 or (parts.scheme != "unix" and not re.fullmatch(r"/?\d*", parts.path)):
            raise ValueError("must end in `HOST:PORT/NUMBER`, with the number of the database")
        return url


class HubSettings(Section):
    url: RepositoryAddress | None = Field(
        None,
        description="Git repository that all machines of the town reach: `ssh://`, `https://` or a path; `{repo}` is "
        "the repository's name (default: this machine alone).",
    )


class PolicySettings(Section):
    max_parallel_items: Positive = Field(2, description="How many items of a mission may run at once.")
    reviewer_required: bool = Field(True, description="Require a reviewer's approval of every change.")
    auto_merge: bool | None = Field(
        None, description="Merge changes that passed their gates (default: yes for local, no for GitHub)."
    )
    settle_on: Literal["merged", "approved"] | None = Field(
        None, description="When dependents may start (default: `merged` with auto_merge, else `approved`)."
    )
    watch_interval_secs: Seconds = Field(180, description="How often an open change is looked at.")
    max_attempts: Positive = Field(
        3, description="Failures of one kind of task (work, fix, review, check) before asking for help."
    )
    max_fix_rounds: NonNegative = Field(3, description="Fix rounds of one item before asking for help.")
    require_checks: bool = Field(True, description="In a GitHub repository without CI, wait for a person.")
    checks_appear_secs: Seconds = Field(
        30, description="On GitHub: how long after a push nothing counts as green, as further checks may begin."
    )
    drafts: bool = Field(
        False, description="On GitHub: a pull request is a draft until its checks and tinytown's reviewer passed it."
    )
    required_approvals: NonNegative = Field(
        0, description="How many people must approve each change; on the local forge, you, if it is not 0."
    )
    protected: list[str] = Field(
        default_factory=lambda: list(PROTECTED),
        description="Changes to these paths need a person's approval, besides those of files that configure agents; "
        "patterns as in .gitignore.",
    )
    merge_method: Literal["merge", "squash", "rebase"] | None = Field(
        None,
        description="How pull requests are merged (default: the first of `merge`, `squash` and `rebase` that the "
        "repository allows).",
    )
    budget_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="Pause a mission when it has spent this much."
    )
    budget_tokens: NonNegative | None = Field(None, description="Pause a mission when it has used so many tokens.")


with warnings.catch_warnings():
    # `copy` is also an old method of pydantic's models, which nobody calls here.
    warnings.filterwarnings("ignore", message='Field name "copy"')

    class WorkspaceSettings(Section):
        setup: list[Command] = Field(
            default_factory=list,
            description="Commands that prepare each clone (for agents and checks) before it is used; no shell.",
        )
        copy: list[InnerPath] = Field(  # type: ignore[assignment]
            default_factory=list, description="Files copied from your checkout into each clone; never committed."
        )
        cache: list[InnerPath] = Field(
            default_factory=list, description="Folders made by `setup` that later clones reuse; never committed."
        )
        env: dict[str, str] = Field(
            default_factory=dict, description="Extra environment variables for setup, checks and agents."
        )
        readable: list[str] = Field(
            default_factory=list, description="Your files and folders that may be read in the sandbox."
        )


class TimingSettings(Section):
    tick_secs: Seconds = Field(30, description="How often the dispatcher runs.")
    lease_secs: Seconds = Field(60, description="How long an attempt's lease lasts without renewal.")
    heartbeat_secs: Seconds = Field(15, description="How often a lease is renewed.")
    unclaimed_secs: Seconds = Field(30, description="When an attempt that no worker took is sent again.")
    no_output_secs: Seconds = Field(
        900, description="How long a streaming agent may be silent before it counts as stalled."
    )
    kill_grace_secs: Seconds = Field(10, description="Time between SIGTERM and SIGKILL.")
    backoff_secs: Seconds = Field(30, description="Pause after the first failure; doubles each time, up to an hour.")

    @pydantic.model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> TimingSettings:
        if self.lease_secs < 2 * self.heartbeat_secs:
            raise ValueError("timing.lease_secs must be at least twice timing.heartbeat_secs")
        return self


Egress = Literal["public", "strict", "open"]
#: Where programs in the sandbox find the proxy that reaches the rest of the world for them.
PROXY_PORT = 3128


class SandboxSettings(Section):
    kind: Literal["auto", "bwrap", "container", "none"] = Field(
        "auto",
        description="`bwrap` isolates agents with bubblewrap, `container` with podman or Docker; `auto` uses "
        "bubblewrap where it works.",
    )
    engine: str = Field(
        "", description="Program that runs containers, by its name or path (default: `podman`, or else `docker`)."
    )
    egress: Egress = Field(
        "public",
        description="What the sandbox may reach: `public` hosts, in `strict` only `hosts` and the CLI's service, or as "
        "`open` what this machine reaches.",
    )
    hosts: list[Annotated[str, pydantic.AfterValidator(hostnames.pattern)]] = Field(
        default_factory=list,
        description="Further hosts that it may reach, also private ones; `*.example.org` for those below a domain.",
    )
    loopback: list[Annotated[int, Field(ge=1, le=65535)]] = Field(
        default_factory=list, description="TCP ports of this machine that appear at 127.0.0.1 in the sandbox."
    )

    @pydantic.field_validator("loopback")
    @classmethod
    def _is_not_the_proxys(cls, ports: list[int]) -> list[int]:
        if PROXY_PORT in ports:
            raise ValueError(f"port {PROXY_PORT} is the sandbox's own proxy's")
        return ports

    required: bool = Field(False, description="Start nothing where agents would run with more rights than they should.")
    uid: int | None = Field(
        None,
        ge=1,
        lt=2**32 - 1,
        description="User that agents, setups and checks run as where the town runs as root (default: one of its own).",
    )
    memory: Size = Field(ByteSize(0), description="Memory that a run may use, e.g. `8G`; 0 for no limit of tinytown's.")
    processes: NonNegative = Field(4096, description="Processes and threads that a run may have; 0 for no limit.")
    disk: Size = Field(
        ByteSize(50 * 10**9), description="Disk that a run's clone and temporary files may take; 0 for no limit."
    )
    open_files: NonNegative = Field(65536, description="Files that one process may have open; 0 for no limit.")
    ptrace: bool = Field(False, description="Let programs trace each other: debuggers and leak sanitizers need it.")

    @pydantic.model_validator(mode="after")
    def _required_is_possible(self) -> SandboxSettings:
        if self.required and self.kind == "none":
            raise ValueError('sandbox.required needs sandbox.kind "auto", "bwrap" or "container"')
        for name, least in (("memory", 16 << 20), ("processes", 16), ("disk", 1 << 20), ("open_files", 64)):
            if 0 < getattr(self, name) < least:
                raise ValueError(f"nothing runs with sandbox.{name} below {least}; 0 is no limit")
        return self


class MessagesSettings(Section):
    max_depth: NonNegative = Field(
        10, description="Messages of agents, each sent in answer to another, before a person is asked; 0 for no limit."
    )
    max_per_hour: NonNegative = Field(
        30, description="Messages of one agent to another within an hour before a person is asked; 0 for no limit."
    )


class NotifySettings(Section):
    command: Annotated[list[str], pydantic.BeforeValidator(split)] = Field(
        default_factory=list,
        description="Run, with JSON on stdin, when a mission asks for help, ends or reaches its budget; no shell.",
    )
    env: dict[str, str] = Field(default_factory=dict, description="Extra environment variables for it.")
    timeout: Seconds = Field(30, description="Time limit for it.")


class MetricsSettings(Section):
    listen: Listen = Field(
        "",
        description="Address at which the control process offers `/metrics`, `/live` and `/ready`, e.g. "
        "`127.0.0.1:9464`; empty for none. It asks for no password.",
    )


class AgentCliSettings(Section):
    command: str | None = Field(
        None,
        description="No shell; `{prompt_file}` and `{prompt}` are replaced, or the prompt goes to stdin.",
    )
    interactive: Command | None = Field(
        None,
        description="Command that opens it in your terminal as the conductor, with the same placeholders "
        "(default: `command`, or what the CLI has for it).",
    )
    env: dict[str, str] = Field(default_factory=dict, description="Extra environment variables for the CLI.")
    timeout: Seconds | None = Field(None, description="Time limit of one run.")
    egress: Egress | None = Field(None, description="What the CLI may reach (default: `sandbox.egress`).")
    readable: list[ShownPath] = Field(
        default_factory=list,
        description="Your files and folders that the CLI may read in the sandbox, e.g. `~/.scribe`.",
    )
    writable: list[ShownPath] = Field(
        default_factory=list, description="Files and folders that it may also write, e.g. its login file."
    )
    configures: list[RepositoryPattern] = Field(
        default_factory=list,
        description="Files of a repository that configure this CLI or that it reads as instructions, e.g. `.scribe/`; "
        "patterns as in .gitignore.",
    )
    verdict_by: Literal["self", "cli", "any"] = Field(
        "cli",
        description="Whose approval counts in a review by your own command: `cli`, its own last line, and `tt review` "
        "that it calls itself; `self`, its own process alone; `any`, that of every "
        "program that runs in it. A refusal counts from all.",
    )
    usage_limit: Pattern | None = Field(
        None,
        description="Pattern of the last line by which a failed run says that a limit was reached; its group `until` "
        "or `after` says when that ends.",
    )
    not_logged_in: Pattern | None = Field(
        None, description="Pattern of the last line of a failed run that means: not logged in."
    )
    unreachable: Pattern | None = Field(
        None, description="Pattern of the last line of a failed run that means: its service does not answer."
    )
    exit_usage_limit: list[ExitCode] = Field(
        default_factory=list, description="Exit codes that mean: a limit was reached."
    )
    exit_not_logged_in: list[ExitCode] = Field(default_factory=list, description="Exit codes that mean: not logged in.")
    exit_unreachable: list[ExitCode] = Field(
        default_factory=list, description="Exit codes that mean: its service does not answer."
    )


class ConductorSettings(Section):
    """Limits of ``tt conductor --unattended``."""

    timeout: Seconds = Field(600, description="Time limit of one run of the unattended conductor.")
    budget_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        5.0, description="What its runs of 24 hours may cost; beyond it, questions are left to people."
    )
    max_runs: Positive = Field(40, description="How many questions it is given in 24 hours.")
    max_same: Positive = Field(3, description="How many of them about the same mission, or from the same agent.")


class RoleSettings(Section):
    cli: str | None = Field(None, description="CLI for agents of this role.")
    fallback: list[str] = Field(
        default_factory=list, description="CLIs to use instead, in this order, while its own is at a usage limit."
    )
    prompt: str | None = Field(
        None,
        description="File with extra instructions for this role, relative to the town; a mission has it as it was at "
        "its start.",
    )
    timeout: Seconds | None = Field(None, description="Time limit of one run.")
    aliases: list[str] = Field(default_factory=list, description="Other names for this role.")


class Settings(Section):
    name: str | None = Field(None, description="Name of the town.")
    default_cli: str = Field("claude", description="CLI for agents spawned without `--cli`.")
    conductor_cli: str | None = Field(None, description="CLI that `tt conductor` opens (default: `default_cli`).")
    max_agents: Positive = Field(16, description="How many agents the town may have.")
    auto_claim: bool = Field(True, description="Let idle agents take what fits their role from the backlog.")
    agent: AgentSettings = Field(default_factory=AgentSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    hub: HubSettings = Field(default_factory=HubSettings)
    host: HostSettings = Field(default_factory=HostSettings)
    forge: ForgeSettings = Field(default_factory=ForgeSettings)
    workspace: WorkspaceSettings = Field(default_factory=WorkspaceSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    timing: TimingSettings = Field(default_factory=TimingSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    messages: MessagesSettings = Field(default_factory=MessagesSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    conductor: ConductorSettings = Field(default_factory=ConductorSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    agent_clis: dict[str, AgentCliSettings] = Field(default_factory=dict)
    roles: dict[str, RoleSettings] = Field(default_factory=dict)

    @property
    def auto_merge(self) -> bool:
        """The policy's ``auto_merge``, or the forge's default: a local merge is easy to undo."""
        return self.forge.kind == "local" if self.policy.auto_merge is None else self.policy.auto_merge
