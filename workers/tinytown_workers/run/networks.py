"""The networks of this worker's sandboxes: a thread that serves the ports which ``netns`` opens inside."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from tinytown.errors import UnreachableError
from tinytown.settings import PROXY_PORT
from tinytown_workers import sandbox
from tinytown_workers.network import dial, egress
from tinytown_workers.network.egress import Policy, Refusals
from tinytown_workers.network.proxy import Proxy
from tinytown_workers.sandbox import Sandbox, rlimits

log = logging.getLogger(__name__)

#: Seconds that the thread may take for an order that takes no time.
PATIENCE = 10.0
#: Most listeners of one run: two for each port.
_LISTENERS = 128


class SandboxNetwork:
    """The network of one run: a context manager that serves its ports as long as it lasts."""

    def __init__(
        self,
        policy: Policy,
        environ: Mapping[str, str],
        *,
        log_file: Path | None = None,
        resolver: dial.Resolver = dial.resolve,
    ) -> None:
        """``environ`` may name proxies of the user's; what is refused is written to ``log_file``, too."""
        #: Ports inside: first the proxy's, then those of this machine that are let in.
        self.ports: Sequence[int] = (PROXY_PORT, *sorted(policy.loopback))
        self.refusals = Refusals()
        #: Why there is no network inside; empty if there is one.
        self.failure = ""
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._upstreams = dial.upstreams(environ)
        self._log_file = log_file
        self._proxy = Proxy(dial.Dialer(policy, self._upstreams, resolver), self._refuse)
        self._servers: list[asyncio.Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def channel(self) -> int:
        """The socket over which the listeners are to come."""
        return self._theirs.fileno()

    def handed(self) -> None:
        """Close our end of that socket, as the guard has it now."""
        self._theirs.close()

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """How programs inside are told of the proxy."""
        return egress.variables(PROXY_PORT, env)

    def __enter__(self) -> Self:
        for name in self._upstreams.unknown:
            log.warning("%s is no http:// or https:// proxy, and is not used for agents", name)
        self._loop = _loop()
        self._loop.call_soon_threadsafe(self._loop.add_reader, self._ours, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        self._theirs.close()
        loop = self._loop
        if loop is None or not _thread_lives():
            self.failure = self.failure or "the thread that serves it has ended"
            self._ours.close()
            return
        try:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(PATIENCE)
        except TimeoutError:
            self.failure = self.failure or "the thread that serves it does not answer"

    def _refuse(self, host: str, reason: str) -> None:
        if not self.refusals.add(host, reason):
            return
        log.warning("the sandbox's network refused %s: %s", host[: egress.NAME_CHARS], reason)
        if self._log_file is not None:
            line = f"tinytown: the sandbox's network refused {host[: egress.NAME_CHARS]}: {reason}\n"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with contextlib.suppress(OSError), open(os.open(self._log_file, flags, 0o600), "ab") as file:  # noqa: PTH123
                file.write(line.encode("utf-8", "replace"))

    async def _end(self) -> None:
        self._forget_channel()
        for server in self._servers:
            server.close()
        self._proxy.close()
        # One turn of the loop, so that what was cancelled ends.
        await asyncio.sleep(0)

    def _forget_channel(self) -> None:
        if self._loop is not None and self._ours.fileno() >= 0:
            self._loop.remove_reader(self._ours)
            self._ours.close()

    def _take(self) -> None:
        try:
            told, descriptors, _, _ = socket.recv_fds(self._ours, 4096, _LISTENERS)
        except BlockingIOError:
            return
        except OSError as error:
            told, descriptors = str(error).encode(), []
        self._forget_channel()
        if told not in (b"ok", b""):
            self.failure = told.decode("utf-8", "replace")
            log.error("the network of a sandbox cannot be made: %s", self.failure)
        for descriptor in descriptors:
            listener = socket.socket(fileno=descriptor)
            asyncio.ensure_future(self._listen(listener))  # noqa: RUF006 - it ends at once

    async def _listen(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        serve = self._proxy.proxy if port == PROXY_PORT else partial(self._proxy.bridge, port)
        try:
            self._servers.append(await asyncio.start_server(serve, sock=listener, limit=dial.CHUNK))
        except OSError as error:
            self.failure = f"port {port} cannot be served: {error}"
            log.error("the network of a sandbox: %s", self.failure)


# -- the thread ------------------------------------------------------------------------------------

_lock = threading.Lock()
_running: tuple[int, threading.Thread, asyncio.AbstractEventLoop] | None = None


def _thread_lives() -> bool:
    return _running is not None and _running[0] == os.getpid() and _running[1].is_alive()


def _loop() -> asyncio.AbstractEventLoop:
    """The loop of this process's thread, started at its first use and anew if it ended."""
    global _running  # noqa: PLW0603 - one for a process
    with _lock:
        if not _thread_lives():
            rlimits.make_room()
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_run, args=(loop,), name="network", daemon=True)
            thread.start()
            _running = (os.getpid(), thread, loop)
        assert _running is not None
        return _running[2]


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    except BaseException:
        log.exception("the thread that serves the sandboxes' networks ended")
        raise


@contextlib.contextmanager
def served(
    cage: Sandbox, policy: Policy, environ: Mapping[str, str], log_file: Path, refusals: Refusals
) -> Iterator[SandboxNetwork | None]:
    """The network of one run in ``cage``; ``None`` if it shares the machine's.

    What it refuses is added to ``refusals``.

    Raises:
        UnreachableError: it ended before the run did, or could not be made.
    """
    # By the run's policy and not by the town's setting, as a CLI may have its own.
    if cage.kind == "none" or policy.egress == "open" or sandbox.try_network(replace(cage, shares_network="")):
        yield None
        return
    with SandboxNetwork(policy, environ, log_file=log_file) as network:
        try:
            yield network
        finally:
            refusals.merge(network.refusals)
    if network.failure:
        raise UnreachableError(
            f"the sandbox had no network: {network.failure}",
            remedy='see `tt doctor`, or set `[sandbox] egress = "open"`',
        )
