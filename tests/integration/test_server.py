"""The town's own server, for real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from tests.waiting import wait_until
from tinytown import files, processes
from tinytown.errors import StateError, UnreachableError
from tinytown.host import access, server, server_binary
from tinytown.host.init import init
from tinytown.host.server import Server, ensure_server, persistence, public_url, server_process, server_url, stop_server
from tinytown.settings import RedisSettings
from tinytown.state.database import connect
from tinytown.town import Town, read_identity


def write(town: Town, key: str, value: str) -> None:
    client = connect(server_url(town))
    client.set(town.prefix + key, value)
    client.close()


def read(town: Town, key: str) -> str | None:
    client = connect(server_url(town))
    value = client.get(town.prefix + key)
    client.close()
    assert value is None or isinstance(value, str)
    return value


def test_a_server_starts_once_and_stops_clean(town: Town) -> None:
    """The second call finds the first one's server; afterwards no process and no socket is left."""
    first = ensure_server(town)
    assert first.started
    assert first.pid is not None
    second = ensure_server(town)
    assert replace(first, started=False) == second
    assert (town.runtime / "redis.sock").stat().st_mode & 0o777 == 0o700
    assert town.runtime.stat().st_mode & 0o777 == 0o700
    assert persistence(town) == []
    assert stop_server(town)
    assert not stop_server(town)
    assert processes.start_time(first.pid) is None or not processes.alive(first.pid, first.created or 0)
    assert not (town.runtime / "redis.sock").exists()
    assert not (town.run / "server.json").exists()


def test_what_was_written_survives_kill_9_and_a_clean_stop(town: Town) -> None:
    """The append-only file has it, and the next server reads it."""
    server = ensure_server(town)
    write(town, "a", "1")
    os.kill(server.pid or 0, signal.SIGKILL)
    wait_until(lambda: server_process(town) is None, description="the server is gone")
    assert ensure_server(town).started
    assert read(town, "a") == "1"
    stop_server(town)
    ensure_server(town)
    assert read(town, "a") == "1"


def test_many_starts_at_once_make_one_server(town: Town) -> None:
    """From several processes and threads at the same moment."""
    code = (
        "from tinytown.host.server import ensure_server; from tinytown.town import open_town\n"
        "s = ensure_server(open_town()); print(s.pid, s.started)"
    )
    argv = [sys.executable, "-c", code]
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(subprocess.run, argv, cwd=town.root, capture_output=True, text=True, check=True)
            for _ in range(4)
        ]
        said = [run.result().stdout.split() for run in runs]
    assert len({pid for pid, _ in said}) == 1
    assert [started for _, started in said].count("True") == 1


def test_an_older_engine_is_refused_and_never_started(town: Town) -> None:
    """It might begin empty without an error."""
    ensure_server(town)
    stop_server(town)
    record = town.data / "engine.json"
    written = record.read_text()
    record.write_text(json.dumps({"engine": "valkey", "version": [99, 1, 0]}))
    with pytest.raises(StateError, match=r"was written by valkey 99\.1\.0, and only .* is installed"):
        ensure_server(town)
    assert server_process(town) is None
    record.write_text(written)
    assert ensure_server(town).started


@pytest.mark.parametrize(
    ("installed", "written", "ok"),
    [
        ("valkey 9.1.2", "valkey 9.1.9", True),
        ("valkey 9.1.2", "valkey 9.2.0", False),
        ("valkey 9.1.2", "redis 7.2.4", True),
        ("valkey 9.1.2", "redis 7.4.0", False),
        ("redis 7.0.15", "valkey 8.0.0", False),
        ("redis 8.0.0", "redis 7.0.15", True),
        ("redis 7.0.15", "redis 7.2.0", False),
    ],
)
def test_which_engine_reads_whose_data(installed: str, written: str, ok: bool) -> None:
    """Forward only, and from Redis to Valkey only up to where they parted."""

    def engine(text: str) -> server_binary.Engine:
        name, version = text.split()
        return server_binary.Engine(name, tuple(map(int, version.split("."))))

    assert engine(installed).reads(engine(written)) is ok


def test_a_lost_database_is_told_from_a_new_one(town: Town) -> None:
    """An empty database under a town that was in use is an error, not a fresh start."""
    ensure_server(town)
    assert read_identity(town.root).initialised
    client = connect(server_url(town))
    client.flushall()
    client.close()
    with pytest.raises(UnreachableError, match="database is lost"):
        ensure_server(town)
    stop_server(town)
    with pytest.raises(UnreachableError, match="database is lost"):
        ensure_server(town)
    assert server_process(town) is None
    (town.data / "appendonlydir").rename(town.data / "elsewhere")
    with pytest.raises(UnreachableError, match=r"restore `.tt/data`"):
        ensure_server(town)
    assert not (town.data / "appendonlydir").exists()


def test_a_database_of_another_life_is_refused(town: Town) -> None:
    """Its epoch isn't this town's."""
    ensure_server(town)
    write(town, "epoch", "another")
    with pytest.raises(UnreachableError, match="an earlier setup"):
        ensure_server(town)


def test_a_server_without_its_socket_is_replaced(town: Town) -> None:
    """Cleaners of temporary folders take sockets away; the data stay."""
    first = ensure_server(town)
    write(town, "a", "1")
    (town.runtime / "redis.sock").unlink()
    second = ensure_server(town)
    assert second.started
    assert second.pid != first.pid
    assert not processes.alive(first.pid or 0, first.created or 0)
    assert read(town, "a") == "1"


def test_a_server_without_its_record_is_adopted(town: Town) -> None:
    """Two servers on one folder would both write to its file."""
    first = ensure_server(town)
    (town.run / "server.json").unlink()
    second = ensure_server(town)
    assert (second.pid, second.started) == (first.pid, False)
    (town.run / "server.json").unlink()
    assert stop_server(town)


def test_a_server_whose_starter_died_is_waited_for(town: Town) -> None:
    """No second one is started on the same data, though the first is on no record and does not answer yet."""
    first = ensure_server(town)
    connect(first.url).set("kept", "yes")
    stop_server(town)
    engine = server_binary.choose(town.data)
    socket_path = files.private_folder(town.runtime) / "redis.sock"
    argv = [str(engine.path), *server._flags(town, socket_path)]
    begun = processes.start_detached(argv, cwd=town.data, env=processes.environment(), log=town.logs / "server.log")
    os.kill(begun.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(ensure_server, town)
        wait_until((town.run / "server.json").exists, description="the one that is there was found")
        os.kill(begun.pid, signal.SIGCONT)
        assert found.result().pid == begun.pid
    assert connect(first.url).get("kept") == "yes"


def test_another_runtime_folder_finds_the_same_server(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell, a service and ssh have different ideas of XDG_RUNTIME_DIR."""
    first = ensure_server(town)
    elsewhere = tmp_path / "r"
    elsewhere.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(elsewhere))
    second = ensure_server(town)
    assert (second.pid, second.url) == (first.pid, first.url)
    stop_server(town)


@pytest.mark.parametrize("name", ["a long way down " * 8, "blank, 'quotes\" and ünïcode"])
def test_any_path_of_a_town_will_do(tmp_path: Path, name: str) -> None:
    """A socket's path is limited to about 100 bytes, a town's is not."""
    root = tmp_path / name / ("deeper" * 10)
    root.mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    town = init(root).town
    try:
        assert ensure_server(town).started
        write(town, "a", "1")
        assert read(town, "a") == "1"
    finally:
        stop_server(town)
        town.runtime.rmdir()


def test_a_long_runtime_folder_is_not_used(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket goes to a short one instead."""
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert ensure_server(town).started
    assert list(folder.iterdir()) == []
    stop_server(town)
    town.runtime.rmdir()


def test_a_given_server_is_used_and_never_stopped(town: Town, server: Server) -> None:
    """REDIS_URL wins; its database is told from a lost one as well."""
    town = replace(town, settings=town.settings.model_copy(update={"redis": RedisSettings(url=server.url)}))
    found = ensure_server(town)
    assert (found.url, found.pid, found.started) == (server.url, None, False)
    assert read_identity(town.root).initialised
    assert not town.data.exists()
    assert not stop_server(town)
    assert processes.alive(server.pid or 0, server.created or 0)


def test_a_given_server_that_does_not_answer_is_named_without_its_password(town: Town) -> None:
    """The address is shown, the secret is not."""
    settings = town.settings.model_copy(update={"redis": RedisSettings(url="redis://me:hunter2@127.0.0.1:1/0")})
    with pytest.raises(UnreachableError, match=r"redis://127\.0\.0\.1:1/0 does not answer") as caught:
        ensure_server(replace(town, settings=settings))
    assert "hunter2" not in str(caught.value)
    assert public_url("unix:///run/x.sock?db=1") == "unix:///run/x.sock"


def test_a_server_that_ends_at_once_says_why(town: Town) -> None:
    """The last words of its log stand in the error, and nothing is left."""
    (town.data / "appendonlydir").mkdir(parents=True)
    (town.data / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(UnreachableError, match="did not start: "):
        ensure_server(town)
    assert server_process(town) is None
    assert not (town.run / "server.json").exists()


@pytest.mark.parametrize("password", ["", "s3cret"])
def test_a_server_on_the_network_must_ask_for_a_password(town: Town, tmp_path: Path, password: str) -> None:
    """Whoever reaches it could change what the town decides; nothing is written to one that is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"port {port}\nbind 127.0.0.1\nsave ''\ndir {tmp_path}\nmaxmemory-policy noeviction\n"
    words += f"requirepass {password}\n" if password else ""
    process = subprocess.Popen(
        [str(server_binary.choose(tmp_path).path), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={}
    )
    assert process.stdin is not None
    process.stdin.write(words.encode())
    process.stdin.close()
    url = f"redis://{f':{password}@' if password else ''}127.0.0.1:{port}/0"
    client = connect(url)
    try:
        wait_until(lambda: _answers(client), description="the server answers")
        given = replace(town, settings=town.settings.model_copy(update={"redis": RedisSettings(url=url)}))
        if password:
            assert ensure_server(given).url == url
            assert not access.is_open(url)
            return
        with pytest.raises(UnreachableError, match="asks for no password") as caught:
            ensure_server(given)
        assert "insecure = true" in (caught.value.remedy or "")
        assert client.dbsize() == 0
        careless = RedisSettings(url=url, insecure=True)
        given = replace(town, settings=town.settings.model_copy(update={"redis": careless}))
        assert ensure_server(given).url == url
    finally:
        client.close()
        process.kill()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
