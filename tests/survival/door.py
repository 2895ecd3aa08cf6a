"""A proxy before the town's server that resets, refuses, delays or swallows what passes; it needs no rights."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from enum import Enum
from typing import Self


class Mode(Enum):
    """What becomes of what passes."""

    PASS = "pass"
    #: New connections are closed at once.
    CUT = "cut"
    #: Nothing comes through, and nobody is told.
    SWALLOW = "swallow"
    #: Everything comes later.
    SLOW = "slow"


#: Seconds by which everything is late, where it is slow.
LATE = 0.12


class _Pair:
    """A connection on both sides."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.writers = (near, far)
        #: It looks open, and nothing ever comes through again.
        self.dead = False

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Door:
    """Listens on a free port of this machine, from ``with`` on; ``url`` is the way through it.

    The server behind it has a socket at a path, or a port of this machine.
    """

    def __init__(self, path: str = "", *, port: int = 0) -> None:
        self._path, self._port = path, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mode = Mode.PASS
        self._may_pass: asyncio.Event
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def _close(self) -> None:
        self._server.close()
        self._abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- faults ----------------------------------------------------------------------------------

    def be(self, mode: Mode) -> None:
        """From now on."""

        def change() -> None:
            self._mode = mode
            (self._may_pass.clear if mode is Mode.SWALLOW else self._may_pass.set)()
            if mode is Mode.CUT:
                self._abort()

        self._do(change)

    def reset(self) -> None:
        """Every connection breaks, now."""
        self._do(self._abort)

    def half_open(self) -> None:
        """What is connected now looks so for ever, and nothing passes."""

        def change() -> None:
            for pair in self._pairs:
                pair.dead = True

        self._do(change)

    def _do(self, change: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait()

    def _abort(self) -> None:
        for pair in self._pairs:
            pair.abort()

    # -- what passes -----------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._mode is Mode.CUT:
            near.transport.abort()
            return
        try:
            if self._port:
                answers, far = await asyncio.open_connection("127.0.0.1", self._port)
            else:
                answers, far = await asyncio.open_unix_connection(self._path)
        except OSError:  # The server is down.
            near.transport.abort()
            return
        pair = _Pair(near, far)
        self._pairs.add(pair)
        ways = [asyncio.ensure_future(self._pump(pair, *way)) for way in ((reader, far), (answers, near))]
        try:
            with contextlib.suppress(asyncio.CancelledError):  # asyncio would tell of it as of a failure.
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            pair.abort()
            self._pairs.discard(pair)

    async def _pump(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self._mode is Mode.SLOW:
                await asyncio.sleep(LATE)
            await self._may_pass.wait()
            if not pair.dead:
                writer.write(data)
                await writer.drain()
