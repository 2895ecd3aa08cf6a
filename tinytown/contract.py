"""Names that more than one process must agree on: tasks, queues, environment variables.

Tasks are called by these names, so that the library never imports the workers and a machine
needs only the code of the processes it runs. A message carries ids, never data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from typing import Final

#: Raised whenever a record or a message changes its meaning; a worker refuses a newer one.
SCHEMA: Final = 1

#: Likewise for what the control worker shows to ``tt``; another one is not asked.
SCHEMA_OF_VIEWS: Final = 4
#: Below ``.tt/run``: where the control worker listens for those who want to see something.
VIEWS_FILE: Final = "views.json"

# -- tasks ---------------------------------------------------------------------------------------

#: ``(mission, item)``: every dependency seems settled; move the item from pending to ready.
TASK_START: Final = "tinytown.start"
#: ``(mission, dependency, item)``: does nothing; a part of a chord that Celery counts.
TASK_EDGE: Final = "tinytown.edge"
#: ``(mission,)``: something happened; decide anew and send what is due.
TASK_ADVANCE: Final = "tinytown.advance"
#: ``(mission, item, number)``: run this attempt.
TASK_ATTEMPT: Final = "tinytown.attempt"
#: ``()``: the periodic duties of beat.
TASK_DISPATCH: Final = "tinytown.dispatch"
TASK_CI_WATCH: Final = "tinytown.ci_watch"
TASK_ESCALATE: Final = "tinytown.escalate"
TASK_SWEEP: Final = "tinytown.sweep"
TASK_PACE: Final = "tinytown.pace"
TASK_CLEAR: Final = "tinytown.clear"
#: Give open questions to the unattended conductor.
TASK_QUESTIONS: Final = "tinytown.questions"

# -- queues --------------------------------------------------------------------------------------

#: Short housekeeping; nothing that waits or runs outside code.
QUEUE_CONTROL: Final = "control"
#: Checks and merges: they run the agents' code, so a worker of its own serves them.
QUEUE_CHECKS: Final = "checks"
#: What is said to a remote forge, by the one process of the town that may: it waits for a network.
QUEUE_FORGE: Final = "forge"
#: Questions for the unattended conductor; a worker of its own serves them while it is on.
QUEUE_CONDUCTOR: Final = "conductor"
#: The queues of the town's own workers that run attempts.
QUEUES_OF_TOWN: Final = (QUEUE_CHECKS, QUEUE_FORGE, QUEUE_CONDUCTOR)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")


def is_name(text: str) -> bool:
    """Whether ``text`` can name an agent or a role: lower case, digits, ``-`` and ``_``, 48 at most."""
    return _NAME.fullmatch(text) is not None


#: What the conductor is called.
CONDUCTOR_NAMES: Final = frozenset({"conductor", "supervisor"})
#: Who is no agent, and takes no tasks; nor can a role be called so.
NO_AGENTS: Final = CONDUCTOR_NAMES | {"operator"}


def role_queue(role: str) -> str:
    """The queue of everyone with this role."""
    return f"role.{role}"


def agent_queue(name: str) -> str:
    """The queue of this one agent."""
    return f"agent.{name}"


# -- the environment of an agent's process -------------------------------------------------------

ENV_TOWN: Final = "TINYTOWN_TOWN"
ENV_MISSION: Final = "TINYTOWN_MISSION"
ENV_ITEM: Final = "TINYTOWN_ITEM"
ENV_ATTEMPT: Final = "TINYTOWN_ATTEMPT"
ENV_AGENT: Final = "TINYTOWN_AGENT_NAME"
ENV_ROLE: Final = "TINYTOWN_ROLE"
#: The marker by which the whole tree of an attempt is found, wherever it hides.
ENV_RUN: Final = "TINYTOWN_RUN"
#: The unix socket and the token through which ``tt`` inside an attempt speaks to its worker.
ENV_SOCKET: Final = "TINYTOWN_SOCKET"
ENV_TOKEN: Final = "TINYTOWN_TOKEN"
#: What the run may cost at the most, in US dollars, where that is limited.
ENV_BUDGET: Final = "TINYTOWN_BUDGET_USD"
#: For an agent's worker: the folder in which its CLI was found when the agent was spawned.
ENV_CLI_FOLDER: Final = "TINYTOWN_CLI_FOLDER"


def agent_sees(name: str) -> bool:
    """Whether an agent's process is shown this variable of its worker's environment: secrets have no common name."""
    return name in ("HOME", "LANG", "LOGNAME", "TZ", "USER") or name.startswith("LC_")


#: Names that describe a run or a place; never read as settings.
ENV_NOT_SETTINGS: Final = frozenset(
    {
        ENV_TOWN,
        ENV_MISSION,
        ENV_ITEM,
        ENV_ATTEMPT,
        ENV_AGENT,
        ENV_ROLE,
        ENV_RUN,
        ENV_SOCKET,
        ENV_TOKEN,
        ENV_BUDGET,
        ENV_CLI_FOLDER,
    }
)


# -- the environment of a town's own processes ---------------------------------------------------

#: By this variable ``tt flower`` takes users and passwords.
ENV_FLOWER_AUTH: Final = "FLOWER_BASIC_AUTH"

#: By these variables a person gives tinytown, and much else, access to GitHub.
ENV_TOKENS: Final = frozenset({"GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"})

#: How the names begin that Celery, its parts and Flower read; ``CELERY_BROKER_URL`` wins over any configuration.
_FOREIGN_PREFIXES = ("CELERY", "KOMBU_", "FLOWER_", "BILLIARD_", "_MP_FORK_")
#: Further names that they read, or by which Python runs code or starts otherwise than we do.
_FOREIGN: Final = frozenset(
    {
        "AUTOSCALE_KEEPALIVE",
        "C_BENCH",
        "C_BENCH_EVERY",
        "C_FAKEFORK",
        "C_FORCE_ROOT",
        "C_IMPDEBUG",
        "C_REMDEBUG",
        "C_STRICT_APP",
        "C_WARN_APP",
        "C_WNOCONF",
        "DISABLE_TRACEBACKS",
        "DJANGO_PROJECT_DIR",
        "DJANGO_SETTINGS_MODULE",
        "EVENTLET_NOBLOCK",
        "FORKED_BY_MULTIPROCESSING",
        "MP_LOG",
        "MP_MAIN_FILE",
        "MULTIPROCESSING_FORKING_DISABLE",
        "NOSETPS",
        "PICKLE_PROTOCOL",
        "PYTHONINSPECT",
        "PYTHONSTARTUP",
        "PYTHONWARNINGS",
        "REMAP_SIGTERM",
        "TIMER_DEBUG",
        "USE_FAST_LOCALS",
        "WORKER_LOGLEVEL",
        "celery_dummy_proxy",
    }
)


def is_foreign(name: str) -> bool:
    """Whether this variable is meant for another Celery, and would drive ours elsewhere or make it crash."""
    return name in _FOREIGN or name.startswith(_FOREIGN_PREFIXES)


def forget_foreign(environ: MutableMapping[str, str]) -> None:
    """Take out of this process's environment what is meant for another Celery; before Celery is imported.

    What ``tt flower`` documents stays: it is the one process that reads it.
    """
    for name in [name for name in environ if is_foreign(name) and name != ENV_FLOWER_AUTH]:
        del environ[name]


def for_processes(environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a town's process is started with.

    Neither what describes a run, nor what is meant for another Celery; and of ``PYTHONPATH`` nothing, unless tinytown
    itself is found by it: a project's own ``celery`` or ``redis`` would be imported instead of ours. Even then no
    entry that leads into a repository.
    """
    kept = {name: text for name, text in environ.items() if name not in ENV_NOT_SETTINGS and not is_foreign(name)}
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    entries = kept.get("PYTHONPATH", "").split(os.pathsep)
    if home not in [os.path.abspath(entry) for entry in entries if entry]:  # noqa: PTH100
        kept.pop("PYTHONPATH", None)
    else:
        from tinytown import programs

        # Where that was relative, its whole name: the process is started elsewhere.
        named = [os.path.abspath(e) if e and os.path.abspath(e) == home else e for e in entries]  # noqa: PTH100
        kept["PYTHONPATH"] = programs.module_path(os.pathsep.join(named), ours=home)
    return kept
