"""What a sandboxed program reaches by the network, and what not. Real processes, real bubblewrap, real servers."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_sandbox import Place
from tests.waiting import wait_until
from tinytown.errors import ConfigurationError
from tinytown.hostnames import Address
from tinytown.settings import SandboxSettings
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.network import dial, netns
from tinytown_workers.network.dial import UnreachableHostError
from tinytown_workers.network.egress import Policy, Refusals
from tinytown_workers.run import networks
from tinytown_workers.run.networks import SandboxNetwork
from tinytown_workers.run.run_spec import Ended, RunSpec
from tinytown_workers.run.runner import Runner
from tinytown_workers.sandbox import detection

pytestmark = [
    pytest.mark.skipif(
        sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
    ),
    pytest.mark.skipif(bool(sandbox.try_network()), reason=f"no network of its own: {sandbox.try_network()}"),
]

#: A public address of nobody's: what stands there in these tests is a server of this machine.
PUBLIC = ipaddress.ip_address("93.184.215.14")


class Handler(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(b"")

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["content-length"]))
        self._say(body)

    def _say(self, body: bytes) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        said = json.dumps({"path": self.path, "headers": headers, "body": body.decode()}).encode()
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server on this machine's loopback."""
    with serving("127.0.0.1") as port:
        yield port


@contextlib.contextmanager
def serving(address: str) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = type("Server", (ThreadingHTTPServer,), {"address_family": family})((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    runner = Runner()
    yield Place(tmp_path, runner)
    runner.close()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections to ``PUBLIC`` end at this machine."""
    opened = dial._open

    async def open_here(host: str, port: int, context: Any = None) -> Any:
        return await opened("127.0.0.1" if host == str(PUBLIC) else host, port, context)

    monkeypatch.setattr(dial, "_open", open_here)


def names(**known: str) -> Callable[[str, int], Any]:
    """A resolver that knows these names, with ``_`` for the dots."""

    async def resolve(name: str, port: int) -> Sequence[Address]:
        text = known.get(name.replace(".", "_"))
        if text is None:
            raise UnreachableHostError("its name cannot be resolved")
        return [ipaddress.ip_address(text)]

    return resolve


def run(
    place: Place, *argv: str, policy: Policy | None = None, network: SandboxNetwork | None = None, environ: Any = None
) -> tuple[Ended, SandboxNetwork]:
    """Run something in a sandbox with a network of its own."""
    env = place.env()
    network = network or SandboxNetwork(policy or Policy(), environ or {}, log_file=place.root / "network.log")
    with network:
        env |= network.variables(env)
        command = sandbox.detect("bwrap").wrap(
            argv, env=env, clone=place.clone, home=place.stand_in, tmp=place.tmp, shared_network=False
        )
        spec = RunSpec(
            id="m/box/1", argv=command.argv, files=command.files, env=env, cwd=place.clone, logs=place.root / "logs",
            wrapped=True, network=network, timeout=60,
        )  # fmt: skip
        ended = place.runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
    assert network.failure == ""
    return ended, network


#: Asks for each address, by way of the proxy where that is what the variables say.
ASK = """
import json, sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try:
        print(json.dumps({"url": url, "said": urllib.request.urlopen(url, timeout=20).read().decode()}))
    except urllib.error.HTTPError as error:
        print(json.dumps({"url": url, "status": error.code, "said": error.read().decode()}))
    except OSError as error:
        print(json.dumps({"url": url, "failed": str(error)}))
"""


def ask(place: Place, *urls: str, **how: Any) -> tuple[list[dict[str, Any]], SandboxNetwork]:
    ended, network = run(place, sys.executable, "-c", ASK, *urls, **how)
    assert ended.exit_code == 0, ended
    return [json.loads(line) for line in ended.stdout.splitlines()], network


def test_this_machine_is_not_reached_whatever_the_way(place: Place, server: int) -> None:
    """Neither directly nor by the proxy; an abstract socket neither."""
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0tinytown-{os.getpid()}")
        abstract.listen()
        script = f"""
import os, socket, urllib.request
def tried(family, address):
    with socket.socket(family) as s:
        try:
            s.connect(address)
            return "reached"
        except OSError as error:
            return type(error).__name__
print(tried(socket.AF_INET, ("127.0.0.1", {server})), tried(socket.AF_UNIX, "\\0tinytown-{os.getpid()}"),
      tried(socket.AF_INET, ("93.184.215.14", 80)), tried(socket.AF_INET, ("169.254.169.254", 80)))
print([name for _, name in socket.if_nameindex()])
proxy = urllib.request.ProxyHandler({{"http": os.environ["http_proxy"]}})
opener = urllib.request.build_opener(proxy)
os.environ["no_proxy"] = ""
for host in ("127.0.0.1", "localhost", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
    try:
        print(host, opener.open(f"http://{{host}}:{server}/").status)
    except urllib.error.HTTPError as error:
        print(host, error.code)
"""
        ended, network = run(place, sys.executable, "-c", script)
    direct, interfaces, *proxied = ended.stdout.splitlines()
    assert direct == "ConnectionRefusedError ConnectionRefusedError OSError OSError", ended
    assert interfaces == "['lo']"
    assert [line.split()[1] for line in proxied] == ["403"] * 7
    assert "127.0.0.1 (loopback)" in network.refusals.words()


def test_a_port_that_is_named_is_let_in(place: Place, server: int) -> None:
    """At the same address, by either kind; whether or not a program asks the proxy for it."""
    policy = Policy(loopback=frozenset([server]))
    found, _ = ask(place, f"http://127.0.0.1:{server}/a", f"http://localhost:{server}/b", policy=policy)
    assert [json.loads(one["said"])["path"] for one in found] == ["/a", "/b"]
    with serving("::1") as six:
        script = "unset no_proxy NO_PROXY; curl -sS --noproxy '' http://localhost:$1/c; curl -sS 'http://[::1]:'$1/d"
        policy = Policy(loopback=frozenset([six]))
        ended, _ = run(place, "bash", "-c", script, "sh", str(six), policy=policy)
    assert '"path": "/c"' in ended.stdout
    assert '"path": "/d"' in ended.stdout


def test_a_projects_own_servers_work_inside(place: Place) -> None:
    script = f"""
import http.server, threading
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
import sys
sys.argv[1:] = [f"http://{{host}}:{{server.server_port}}/" for host in ("127.0.0.1", "localhost")]
exec({ASK!r})
"""
    ended, network = run(place, sys.executable, "-c", script)
    assert [json.loads(line).get("status") for line in ended.stdout.splitlines()] == [None, None], ended
    assert ended.stdout.count("Directory listing") >= 2
    assert not network.refusals


def test_a_public_host_is_reached_and_what_it_leads_to_is_judged_anew(place: Place, public: None, server: int) -> None:
    """By plain requests and by tunnels; its redirect to a metadata service is a request of its own, and is told."""
    resolver = names(public_example=str(PUBLIC), inner_example="10.1.2.3", rebound_example="127.0.0.1")
    log = place.root / "network.log"
    network = SandboxNetwork(Policy(is_own=lambda address: False), {}, log_file=log, resolver=resolver)
    script = f"""
curl -sS http://public.example:{server}/plain; echo
curl -sS -p http://public.example:{server}/tunnel; echo
curl -sS -L -o /dev/null -w '%{{http_code}}\\n' http://public.example:{server}/away
curl -sS -o /dev/null -w '%{{http_code}}\\n' http://inner.example:{server}/
curl -sS -p -o /dev/null http://rebound.example:{server}/
curl -sS -o /dev/null -w '%{{http_code}}\\n' http://nobody.example:{server}/
"""
    ended, network = run(place, "bash", "-c", script, network=network)
    plain, tunnel, *codes = ended.stdout.splitlines()
    assert json.loads(plain)["path"] == "/plain"
    assert json.loads(tunnel)["path"] == "/tunnel"
    assert codes == ["403", "403", "502"]
    assert "403" in ended.stderr
    told = ("169.254.169.254 (link-local)", "inner.example (private)", "rebound.example (loopback)")
    assert network.refusals.words() == told
    assert log.read_text().splitlines()[1] == "tinytown: the sandbox's network refused inner.example: private"


def test_the_users_own_proxy_is_used_and_its_password_is_not_shown(place: Place, server: int) -> None:
    """The host's name goes to it as it is; what no public name is does not."""
    asked: list[str] = []

    class Upstream(Handler):
        def do_CONNECT(self) -> None:
            asked.append(f"{self.path} {self.headers['proxy-authorization']}")
            with socket.create_connection(("127.0.0.1", server)) as target:
                self.send_response(200)
                self.end_headers()
                target.sendall(self.connection.recv(65536))
                answer = b""
                while b'"body"' not in answer:
                    answer += target.recv(65536)
                self.connection.sendall(answer)
            self.close_connection = True

        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['proxy-authorization']}")
            super().do_GET()

    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    url = f"http://me:s3cret@127.0.0.1:{upstream.server_port}"
    script = """
env; tr '\\0' '\\n' < /proc/1/environ
curl -sS -p http://public.example:80/tunnel; curl -sS http://public.example/plain
curl -sS -o /dev/null -w ' %{http_code}' http://metadata.google.internal/; curl -sS -w ' %{http_code}' http://host/
"""
    environ = {"HTTPS_PROXY": url, "http_proxy": url}
    network = SandboxNetwork(Policy(), environ, resolver=names())
    try:
        ended, network = run(place, "bash", "-c", script, network=network)
    finally:
        upstream.shutdown()
        upstream.server_close()
    proof = "Basic bWU6czNjcmV0"
    assert asked == [f"public.example:80 {proof}", f"http://public.example/plain {proof}"], ended
    assert '"path": "/tunnel"' in ended.stdout
    assert '"path": "http://public.example/plain"' in ended.stdout
    assert "s3cret" not in ended.stdout
    assert proof not in ended.stdout.replace(f'"proxy-authorization": "{proof}"', "")
    assert ended.stdout.count(" 403") == 2
    assert network.refusals.words() == (
        "metadata.google.internal (a name of a private network)",
        "host (a name of a private network)",
    )


def test_without_its_network_a_sandbox_is_ended_and_the_reason_is_known(place: Place) -> None:
    """Nothing runs with less than it was to have, and nothing runs with more."""
    network = SandboxNetwork(Policy(), {})
    with network:
        command = sandbox.detect("bwrap").wrap(
            ["sh", "-c", "echo began; sleep 60"], env=place.env(), clone=place.clone, home=place.stand_in, tmp=place.tmp
        )  # with the machine's network, into which no port may be opened
        spec = RunSpec(
            id="m/box/2", argv=command.argv, files=command.files, env=place.env(), cwd=place.clone,
            logs=place.root / "logs", wrapped=True, network=network, timeout=60,
        )  # fmt: skip
        ended = place.runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
        wait_until(lambda: network.failure != "", description="the reason")
    assert (ended.exit_code, ended.stdout) == (-9, "")
    assert network.failure == "it has no network of its own"


def test_connections_of_agents_leave_the_worker_files_to_open(tmp_path: Path) -> None:
    """Two for each of hundreds in every run; many a shell allows 1024 at first. Agents begin with what it had."""
    script = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from tinytown_workers.network import proxy
from tinytown_workers.run import networks as network
from tinytown_workers.limits.quota import Limits
from tinytown_workers.sandbox import rlimits
network._loop()
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(4 * 2 * proxy.CONNECTIONS)]
print(rlimits.command(Limits(open_files=65536), None)[1].partition(":")[0])
"""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096:
        pytest.skip("no more files may be open here")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.stdout, done.stderr) == ("--nofile=256\n", "")


def test_a_thread_that_ended_is_a_failure_and_the_next_run_has_another(place: Place) -> None:
    first = SandboxNetwork(Policy(), {})
    with first:
        running = networks._running
        assert running is not None
        running[2].call_soon_threadsafe(running[2].stop)
        running[1].join(10)
    assert first.failure == "the thread that serves it has ended"
    running[2].close()
    ended, _ = run(place, "sh", "-c", "echo it runs")
    assert ended.stdout == "it runs\n"


@pytest.mark.parametrize("more", [(), ("--unshare-user", "--uid", "1234", "--gid", "1234")])
@pytest.mark.parametrize("user", [None, 65534])
def test_any_user_can_have_a_network_of_its_own(user: int | None, more: tuple[str, ...]) -> None:
    """Also where the sandbox changes the user once more."""
    if user is not None and os.getuid() != 0:
        pytest.skip("only root can become another user")
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user is not None else []
    isolation = ("--unshare-all", "--die-with-parent", "--cap-drop", "ALL")
    system = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    argv = [shutil.which("bwrap") or "bwrap", *isolation, *more, *system, "--", "true"]
    source = Path(netns.__file__).read_text(encoding="utf-8")
    tried = subprocess.run(
        [*become, sys.executable, "-I", "-S", "-", *argv],
        input=source,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tried.returncode, tried.stdout, tried.stderr) == (0, "", "")


def test_where_none_can_be_had_it_is_said_and_refused_if_demanded(
    town: Town, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents share the machine's then, as the user is told at each start; never in silence."""

    def with_settings(**values: object) -> Town:
        sandboxed = SandboxSettings.model_validate(values)
        return replace(town, settings=town.settings.model_copy(update={"sandbox": sandboxed}))

    def said(of: Town) -> list[str]:
        return [one.said for one in sandbox.of_town(of).weaknesses() if "network" in one.said]

    assert said(with_settings()) == []
    assert said(with_settings(egress="open")) == ["agents share this machine's network (`[sandbox] egress`)"]
    for module in (detection, sandbox):
        monkeypatch.setattr(module, "try_network", lambda *_: "the kernel refuses")
    assert said(with_settings()) == ["agents share this machine's network (the kernel refuses)"]
    refusals = Refusals()
    cage = sandbox.of_town(with_settings())
    with networks.served(cage, Policy(), {}, place.root / "network.log", refusals) as network:
        assert network is None
    # Something else that this machine lacks may be refused before.
    with pytest.raises(ConfigurationError, match="required = true"):
        sandbox.of_town(with_settings(required=True))
