"""What one machine brings to the hub another has from it, whatever happens in between."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.git_server import GitServer, serving
from tests.fakes.repositories import Repository
from tests.integration.hub.bench import REF, Bench, a_bench, a_hub
from tinytown.errors import ConfigurationError, HubAwayError
from tinytown.forge import excludes
from tinytown.forge.hub import names
from tinytown.forge.hub.probe import probe
from tinytown.git.repository import GitError


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return a_bench(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served", token="hush-hush") as served:
        yield served


@pytest.fixture
def web(tmp_path: Path, server: GitServer) -> Bench:
    """The same over HTTP, with a token."""
    hub = a_hub(tmp_path / "served" / "hub.git")
    return a_bench(tmp_path, server.url("hub"), hub=hub, TINYTOWN_HUB_TOKEN="hush-hush")


def sent(work: str) -> dict[str, str]:
    return {"work/attempts/abcdef12/project-1/1": work}


# -- there and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bench", "web"])
def test_work_goes_from_one_machine_to_another(kind: str, request: pytest.FixtureRequest) -> None:
    """Another machine has the base from the hub, home the work; branches of the hub's own are not touched."""
    bench: Bench = request.getfixturevalue(kind)
    bench.home.own.run("push", "-q", str(bench.hub.root), "main:main")
    (bench.repository.root / ".git/info/exclude").write_text("*.mine\n")
    base = bench.publish()
    bench.host.refresh()
    assert bench.host.base("main") == base
    assert bench.host.own.refs("refs/heads") == {"refs/heads/main": base}
    assert excludes.of_mirror(bench.host.folder) == "*.mine\n"
    work = bench.work(bench.host, {"a.txt": "1\n"}, on=base)
    assert bench.host.offer(REF) == 1
    assert bench.in_hub() == {"base/main": base, **sent(work)}
    assert bench.home.own.commit(work) is None
    bench.home.need([work])
    assert bench.home.own.commit(work) == work
    assert bench.hub.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"
    assert bench.host.offer() == 0


def test_what_is_there_already_costs_no_network(web: Bench, server: GitServer) -> None:
    base = web.publish()
    web.host.refresh()
    work = web.work(web.host, {"a.txt": "1\n"}, on=base)
    web.host.offer()
    web.home.need([work])
    server.asked.clear()
    server.befall("down")
    web.home.need([work, base])
    web.home.publish(["main"])
    assert web.host.offer() == web.home.offer() == 0
    assert not server.asked


def test_many_commits_are_one_fetch(web: Bench, server: GitServer) -> None:
    base = web.publish()
    web.host.refresh()
    shas = [web.work(web.host, {"a.txt": f"{n}\n"}, on=base, ref=f"{REF}{n}") for n in range(12)]
    web.host.offer()
    server.asked.clear()
    web.home.need(shas)
    assert [asked for asked in server.asked if "info/refs" in asked] == [
        "GET /hub.git/info/refs?service=git-upload-pack"
    ] * 2  # The first of them is answered by: who are you?


def test_a_server_that_gives_only_what_refs_name_is_asked_by_refs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = bench.publish()
    bench.host.refresh()
    work = bench.work(bench.host, {"a.txt": "1\n"}, on=base)
    bench.host.offer()
    fetch, tried = bench.home.__class__._fetch, []

    def refuses(hub: object, refspecs: list[str], *, prune: bool = False) -> None:
        tried.append(refspecs)
        if len(tried) == 1:
            raise GitError("fetch", 128, f"error: Server does not allow request for unadvertised object {work}")
        fetch(bench.home, refspecs, prune=prune)

    monkeypatch.setattr(bench.home.__class__, "_fetch", refuses)
    bench.home.need([work])
    assert bench.home.own.commit(work) == work
    assert bench.home.own.commit(REF) == work


def test_a_commit_that_nobody_brought_is_waited_for(bench: Bench) -> None:
    bench.publish()
    with pytest.raises(HubAwayError, match=r"the hub is away: .* does not have commit 1234567890 yet"):
        bench.home.need(["1234567890" * 4])


def test_a_machine_waits_until_home_was_there(bench: Bench) -> None:
    with pytest.raises(HubAwayError, match="has nothing of this town yet"):
        bench.host.refresh()
    assert not bench.host.folder.exists()
    bench.publish()
    bench.host.refresh()


def test_a_base_that_moved_is_there_at_the_next_look(bench: Bench) -> None:
    """Also one that was set back, as home has the say."""
    first = bench.publish()
    bench.host.refresh()
    second = bench.repository.commit("More", {"b.txt": "2\n"})
    bench.publish()
    assert bench.host.base("main") == first
    bench.host.refresh()
    assert bench.host.base("main") == second
    bench.repository.git("reset", "-q", "--hard", first)
    bench.publish()
    bench.host.refresh()
    assert bench.host.base("main") == bench.host.own.commit("refs/heads/main") == first


def test_a_repository_of_sha256_has_a_mirror_of_its_kind(tmp_path: Path) -> None:
    from tests.fakes.repositories import a_town, new_repository
    from tinytown.forge.hub.hub import Hub
    from tinytown.forge.local.forge import LocalForge

    hub = a_hub(tmp_path / "hub.git", "--object-format=sha256")
    plain = a_bench(tmp_path / "plain", str(hub.root), hub=hub)
    with pytest.raises(ConfigurationError, match="another format of objects"):
        plain.publish()
    repository = new_repository(tmp_path / "project", "--object-format=sha256")
    town = a_town(repository.root, repo="project")
    forge = LocalForge(town)
    home = replace(plain.home, folder=forge.mirror(forge.repo), root=names.root(town.id, forge.repo))
    home.publish(["main"])
    host = replace(home, folder=tmp_path / "host" / "project.git", home=False)
    host.refresh()
    assert isinstance(host, Hub)
    assert host.base("main") == repository.rev("main")


# -- what goes wrong ---------------------------------------------------------------------------------


def test_a_lost_reply_is_looked_up(web: Bench, server: GitServer) -> None:
    """The push was applied, so tinytown does not repeat it."""
    base = web.publish()
    web.host.refresh()
    work = web.work(web.host, {"a.txt": "1\n"}, on=base)
    server.asked.clear()
    server.befall("lost reply", 1)
    assert web.host.offer() == 1
    assert web.in_hub() == {"base/main": base, **sent(work)}
    pushed = [n for n, asked in enumerate(server.asked) if asked.startswith("POST") and "receive-pack" in asked]
    # Where the connection was an old one, curl sends the same once more, and the server refuses that.
    assert all("upload-pack" in asked for asked in server.asked[pushed[-1] + 1 :])
    assert not web.host.pending()


@pytest.mark.parametrize("fault", ["down", "busy", "cut"])
def test_a_hub_that_is_away_loses_nothing(fault: str, web: Bench, server: GitServer) -> None:
    base = web.publish()
    web.host.refresh()
    work = web.work(web.host, {"a.txt": "1\n"}, on=base)
    server.befall(fault)  # type: ignore[arg-type]
    with pytest.raises(HubAwayError, match=r"the hub is away: http://127.0.0.1:.*hub\.git"):
        web.host.offer()
    with pytest.raises(HubAwayError):
        web.home.need([work])
    assert web.host.own.commit(REF) == work
    server.befall("")
    # What was cut in the middle may have been applied; it is found, or pushed again.
    web.host.offer()
    assert web.in_hub() == {"base/main": base, **sent(work)}
    web.home.need([work])


def test_an_emptied_hub_is_filled_again(bench: Bench) -> None:
    """By home with all that it ever saw, and by each machine with what it made."""
    base = bench.publish()
    bench.host.refresh()
    seen = bench.work(bench.host, {"a.txt": "1\n"}, on=base)
    bench.host.offer()
    bench.home.survey(["main"])
    own = bench.work(bench.host, {"b.txt": "2\n"}, on=base, ref=f"{REF}1")
    bench.host.offer()
    shutil.rmtree(bench.hub.root)
    a_hub(bench.hub.root)
    with pytest.raises(HubAwayError, match="nothing of this town yet"):
        bench.host.refresh()
    bench.home.survey(["main"])
    assert bench.in_hub() == {"base/main": base, **sent(seen)}
    bench.host.refresh()
    bench.host.offer()
    assert bench.in_hub() == {"base/main": base, **sent(seen), "work/attempts/abcdef12/project-1/11": own}


def test_work_under_the_same_name_replaces_nothing(bench: Bench) -> None:
    """Of an attempt that has the number of another one, say after an old database was restored."""
    base = bench.publish()
    bench.host.refresh()
    theirs = bench.work(bench.home, {"a.txt": "theirs\n"}, on=base)
    bench.home.offer()
    ours = bench.work(bench.host, {"a.txt": "ours\n"}, on=base)
    bench.host.offer()
    assert bench.in_hub() == {"base/main": base, **sent(theirs), "work/attempts/abcdef12/project-1/1-2": ours}
    assert bench.host.own.commit(f"{REF}-2") == ours
    assert not bench.host.pending()


def test_what_goes_on_from_what_was_pushed_moves_its_ref(bench: Bench) -> None:
    base = bench.publish()
    bench.host.refresh()
    first = bench.work(bench.host, {"a.txt": "1\n"}, on=base)
    bench.host.offer()
    second = bench.work(bench.host, {"a.txt": "2\n"}, on=first)
    # It forgot that it had pushed before: it looks, and goes on from there.
    bench.host.own.run("update-ref", "-d", f"{names.KNOWN}work/attempts/abcdef12/project-1/1")
    bench.host.offer()
    assert bench.in_hub() == {"base/main": base, **sent(second)}


def test_two_that_push_at_once_both_arrive(web: Bench) -> None:
    base = web.publish()
    web.host.refresh()
    shas = {f"{REF}{n}": web.work(web.host, {"a.txt": f"{n}\n"}, on=base, ref=f"{REF}{n}") for n in range(4)}
    failures: list[BaseException] = []

    def push(*refs: str) -> None:
        try:
            web.host.offer(*refs)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    pushes: list[Callable[[], None]] = [lambda: push(*shas), lambda: push(*list(shas)[:2]), lambda: push(f"{REF}*")]
    threads = [threading.Thread(target=one) for one in pushes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert {sha for name, sha in web.in_hub().items() if name.startswith("work/")} == set(shas.values())


def test_another_towns_epoch_is_refused(bench: Bench) -> None:
    bench.publish()
    other = replace(bench.host, epoch="two")
    with pytest.raises(ConfigurationError, match="holds another town"):
        other.refresh()
    with pytest.raises(ConfigurationError, match="holds another town"):
        replace(bench.home, epoch="two").publish(["main"])


@pytest.mark.parametrize("how", ["merged", "squashed"])
def test_merged_work_leaves_the_hub_once_home_keeps_no_ref_of_it(how: str, bench: Bench) -> None:
    """What is not proven merged stays, and is home's too."""
    base = bench.publish()
    bench.host.refresh()
    merged = bench.work(bench.host, {"a.txt": "1\n"}, on=base)
    other = bench.work(bench.host, {"b.txt": "2\n"}, on=base, ref=f"{REF}1")
    bench.host.offer()
    bench.home.survey(["main"])
    assert bench.home.own.commit(REF) == merged
    bench.repository.git("fetch", "-q", str(bench.hub.root), merged)
    bench.repository.git("merge", "-q", *(["--squash"] if how == "squashed" else []), merged)
    bench.repository.commit("Merged")
    tip = bench.publish()
    for ref in (REF, f"{REF}1"):
        bench.home.own.run("update-ref", "-d", ref)
    bench.home.survey(["main"])
    assert bench.in_hub() == {"base/main": tip, "work/attempts/abcdef12/project-1/11": other}
    assert bench.home.own.commit(f"{REF}1") == other
    assert REF not in bench.home.own.refs(REF)


# -- refused -----------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_and_shown_nowhere(tmp_path: Path, server: GitServer) -> None:
    hub = a_hub(tmp_path / "served" / "hub.git")
    bench = a_bench(tmp_path, server.url("hub"), hub=hub, TINYTOWN_HUB_TOKEN="wrong-one")
    with pytest.raises(ConfigurationError, match="does not let this machine in") as refused:
        bench.publish()
    assert "TINYTOWN_HUB_TOKEN" in refused.value.remedy
    assert "wrong-one" not in f"{refused.value} {bench.home!r}"
    config = (bench.home.folder / "config").read_text()
    assert "127.0.0.1" not in config


def test_a_helper_of_the_persons_own_may_open_it(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    helper = "!f() { echo username=x-access-token; echo password=hush-hush; }; f"
    config.write_text(f'[credential]\n\thelper = "{helper}"\n[alias]\n\tfetch = !false\n[core]\n\thooksPath = /x\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    bench = a_bench(tmp_path, server.url("hub"), hub=a_hub(tmp_path / "served" / "hub.git"))
    bench.publish()
    assert list(bench.in_hub()) == ["base/main"]


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_a_hub_that_refuses_the_refs_says_why(hook: str, bench: Bench) -> None:
    script = bench.hub.root / "hooks" / hook
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh\necho 'only branches here'\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"refuses tinytown's refs: .*only branches here"):
        bench.publish()


def test_a_server_without_pushes_is_told(web: Bench) -> None:
    web.hub.git("config", "http.receivepack", "false")
    with pytest.raises(ConfigurationError, match=r"takes no pushes|does not let"):
        web.publish()


def test_a_hub_that_is_no_repository_is_told(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    shutil.rmtree(bench.hub.root)
    with pytest.raises(ConfigurationError, match="there is no git repository at the hub"):
        bench.publish()


def test_a_probe_reaches_and_writes_and_leaves_nothing(web: Bench, server: GitServer) -> None:
    assert 0 < probe(web.home) < 60
    assert web.in_hub() == {}
    server.befall("denied")
    with pytest.raises(ConfigurationError, match="does not let this machine in"):
        probe(web.home)


def test_a_hub_without_room_is_tried_again(bench: Bench) -> None:
    script = bench.hub.root / "hooks" / "pre-receive"
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh\necho 'fatal: write error: No space left on device' >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(HubAwayError, match="has no room left"):
        bench.publish()


def test_what_a_hub_has_of_others_is_left_alone(bench: Bench) -> None:
    other = Repository(bench.hub.root)
    bench.home.own.run("push", "-q", str(bench.hub.root), "main:refs/tinytown/another/project/work/x")
    bench.publish()
    bench.home.survey(["main"])
    assert other.rev("refs/tinytown/another/project/work/x") == bench.repository.rev("main")
    assert bench.home.own.commit("refs/tinytown/x") is None
