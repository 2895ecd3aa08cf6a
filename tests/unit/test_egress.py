"""What may be reached, decided without a network: names, addresses in all their spellings, and what the user named."""

from __future__ import annotations

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tinytown import hostnames
from tinytown.errors import ConfigurationError
from tinytown.hostnames import Address
from tinytown.settings import AgentCliSettings, SandboxSettings
from tinytown_workers.network import addresses, dial, egress
from tinytown_workers.network.egress import Policy, Refusals, RefusedError

NOBODYS = {"is_own": lambda address: False}
PUBLIC4, PUBLIC6 = ipaddress.ip_address("93.184.215.14"), ipaddress.ip_address("2606:4700::1111")

#: What stands in the registries of addresses that are not those of the public internet.
CLOSED = [
    *map(IPv4Network, (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
        "192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4", "168.63.129.16/32",
    )),
    *map(IPv6Network, (
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7",
        "fe80::/10", "fec0::/10", "ff00::/8", "64:ff9b::7f00:0/104", "64:ff9b::a9fe:0/112", "64:ff9b::a00:0/104",
        "2002:7f00::/24", "2002:a9fe::/32", "2002:c0a8::/32", "::ffff:0:0:0/96", "::ffff:169.254.0.0/112",
    )),
]  # fmt: skip
FOUR = st.integers(0, 2**32 - 1).map(IPv4Address)


def of(networks: list[IPv4Network | IPv6Network]) -> st.SearchStrategy[Address]:
    """Addresses of these networks, the first and the last ones too."""
    return st.sampled_from(networks).flatmap(
        lambda one: st.integers(0, one.num_addresses - 1).map(lambda number: one[number])
    )


@given(of(CLOSED))
def test_no_address_of_a_closed_network_is_public(address: Address) -> None:
    assert addresses.refusal(address) != ""
    with pytest.raises(RefusedError):
        Policy(**NOBODYS).choose("example.com", 443, [address])


@given(FOUR)
def test_an_address_within_another_is_judged_as_that(address: IPv4Address) -> None:
    number, plain = int(address), addresses.refusal(address)
    for form in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert addresses.refusal(IPv6Address(form)) == plain


@given(st.one_of(FOUR, st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_is_public_is_in_no_closed_network(address: Address) -> None:
    if not addresses.refusal(address):
        assert not any(address in network for network in CLOSED if network.version == address.version)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_is_one(text: str) -> None:
    assert addresses.refusal(ipaddress.ip_address(text)) == ""


#: Each leads to 127.0.0.1, 169.254.169.254 or nowhere in some program or other.
ODD = [
    "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "0", "00", "0x0", "127.0.0.1.",
    "127.0.0.1..",
    "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]", "[::]", "0.0.0.0",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[fe80::1%25eth0]", "[fe80::1%eth0]", "::1",
    "[64:ff9b::169.254.169.254]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "\uff11\uff12\uff17.0.0.1",
    "\u2460.0.0.1", "127\u30020\u30020\u30021",
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "a.LocalHost.", "127.0.0.1\x00.example.com", "exa mple.com",
    "example.com/..", "user@127.0.0.1", "127.0.0.1:80", "", ".", "..", "[", "]", "[]", "[::1", "-x.example.com",
    "example..com", "a" * 64 + ".example.com", "x." * 127 + "com", "0x7f000001.", "1.2.3", "1.2.3.4.5", "256.1.1.1",
    "127.0.0.0x1", "example.123", "100.100.100.200", "192.0.0.192", "[::ffff:0:127.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_no_spelling_leads_to_this_machine_or_its_surroundings(text: str) -> None:
    policy = Policy(**NOBODYS)
    try:
        host = policy.admit(text, 80)
    except RefusedError:
        return
    assert not isinstance(host, str)
    with pytest.raises(RefusedError):
        policy.choose(host, 80, [host])


@given(FOUR, st.sampled_from(["{}", "{:#x}", "{:#o}", "{:08x}", "0{:o}"]))
def test_an_address_as_a_number_is_never_a_host(address: IPv4Address, form: str) -> None:
    text = form.format(int(address))
    try:
        host = hostnames.parse(text)
    except hostnames.UnusualHostError:
        return
    # Only what no program would read as an address is left, e.g. `7f00000a` as a name.
    with pytest.raises(OSError, match="illegal IP"):
        socket.inet_aton(str(host))


@given(st.text(max_size=40))
def test_whatever_is_asked_for_is_a_plain_name_an_address_or_refused(text: str) -> None:
    try:
        host = hostnames.parse(text)
    except hostnames.UnusualHostError:
        return
    assert str(host).isascii()
    assert not set(str(host)) & set("/@%# \t\r\n[]?\\\x00")


def test_a_name_is_judged_by_each_of_its_addresses() -> None:
    """Only those are left that may be reached, and they alone are connected to."""
    private, own = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("93.184.215.15")
    policy = Policy(is_own=lambda address: address == own)
    assert policy.choose("example.com", 443, [private, PUBLIC4, own, PUBLIC6]) == [PUBLIC4, PUBLIC6]
    with pytest.raises(RefusedError, match="private"):
        policy.choose("example.com", 443, [private, own])
    with pytest.raises(RefusedError, match="this machine's own"):
        policy.choose("example.com", 443, [own])


def test_a_host_that_the_user_names_may_be_private_and_nothing_worse() -> None:
    policy = Policy(hosts=("gateway.corp", "*.example.org", "10.9.8.7", "169.254.1.1"), **NOBODYS)
    private, link = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("169.254.169.254")
    assert policy.choose(policy.admit("Gateway.Corp.", 443), 443, [private]) == [private]
    for address in (link, ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::ffff:127.0.0.1")):
        with pytest.raises(RefusedError):
            policy.choose("gateway.corp", 443, [address])
    # Whoever owns a domain could send any name below it anywhere.
    with pytest.raises(RefusedError, match="private"):
        policy.choose("db.example.org", 443, [private])
    for text in ("10.9.8.7", "169.254.1.1"):
        host = ipaddress.ip_address(text)
        assert policy.choose(policy.admit(text, 80), 80, [host]) == [host]


def test_strict_allows_what_is_named_alone() -> None:
    policy = Policy("strict", hosts=("*.example.org", "pypi.org"), services=("api.model.example",), **NOBODYS)
    for name in ("a.example.org", "a.b.example.org", "PYPI.org", "api.model.example"):
        assert policy.admit(name, 443) == name.lower()
    for name in ("example.org", "badexample.org", "pypi.org.evil.example", "evil-pypi.org", "93.184.215.14"):
        with pytest.raises(RefusedError, match="not in"):
            policy.admit(name, 443)


def test_a_services_address_in_the_settings_of_a_cli_is_named_by_the_user() -> None:
    env = {
        "OPENAI_BASE_URL": "http://localhost:11434/v1",
        "OTHER": "https://10.1.2.3/v1",
        "THIRD": "http://gpu.lan:8000",
        "DATABASE": "postgres://localhost:5432/x",
        "ODD": "http://[::1",
        "HTTPS_PROXY": "http://proxy.corp:8080",
        "all_proxy": "http://127.0.0.1:3128",
    }
    cli = AgentCliSettings(env=env, command="agent --url=x --api http://127.0.0.1:8001/v1 {prompt}")
    policy = egress.of(SandboxSettings(loopback=[6000], egress="strict"), cli, ["api.example"])
    assert policy.loopback == {6000, 11434, 8001}
    assert policy.given == {("10.1.2.3", 443), ("gpu.lan", 8000)}
    own = ipaddress.ip_address("192.168.1.5")
    assert policy.choose(policy.admit("gpu.lan", 8000), 8000, [own]) == [own]
    with pytest.raises(RefusedError):
        policy.admit("gpu.lan", 22)
    assert policy.choose(policy.admit("localhost", 11434), 11434, ()) == egress.LOCAL
    with pytest.raises(RefusedError, match="loopback"):
        policy.admit("localhost", 5432)
    assert egress.of(SandboxSettings(), AgentCliSettings(egress="open")).egress == "open"


def test_no_service_stands_where_the_proxy_is() -> None:
    with pytest.raises(ConfigurationError, match="whose own proxy is there"):
        egress.of(SandboxSettings(), AgentCliSettings(env={"OPENAI_BASE_URL": "http://localhost:3128/v1"}))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("hosts", ["localhost"], "name its ports in `"),
        ("hosts", ["127.0.0.1"], "name its ports in `"),
        ("hosts", ["*.com"], "far too many"),
        ("hosts", ["*"], "is no name of a host"),
        ("hosts", ["https://example.org"], "is no name of a host"),
        ("hosts", ["example.org:443"], "is no name of a host"),
        ("hosts", ["a.*.org"], "is no name of a host"),
        ("loopback", [0], "greater than or equal to 1"),
        ("loopback", [65536], "less than or equal to 65535"),
        ("loopback", [3128], "the sandbox's own proxy's"),
        ("egress", "closed", "'public', 'strict' or 'open'"),
    ],
)
def test_bad_settings_are_refused(key: str, value: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SandboxSettings(**{key: value})


def test_refusals_are_counted_and_capped() -> None:
    refusals = Refusals()
    assert refusals.add("a.example", "private")
    assert not refusals.add("a.example", "private")
    for number in range(100):
        refusals.add(f"{number}.{'x' * 300}", "loopback")
    words = refusals.words()
    assert words[0] == "a.example (private)"
    assert len(words) == egress.NAMED + 1
    assert words[-1] == "and 81 more"
    assert max(map(len, words)) < 150
    other = Refusals()
    other.merge(refusals)
    assert other.words() == words


def test_the_users_own_proxy_is_found_and_its_password_kept() -> None:
    environ = {
        "HTTPS_PROXY": "http://me:s%40cret@proxy.corp:8080",
        "http_proxy": "proxy.corp:3129",
        "NO_PROXY": "intra.example,10.0.0.0",
        "ALL_PROXY": "socks5://proxy.corp:1080",
    }
    found = dial.upstreams(environ)
    https, plain = found.of("https", "example.com"), found.of("http", "example.com")
    assert https is not None
    assert plain is not None
    assert (https.host, https.port, https.tls) == ("proxy.corp", 8080, False)
    assert https.authorization == "Basic bWU6c0BjcmV0"
    assert (plain.port, plain.authorization) == (3129, "")
    assert found.of("https", "a.intra.example") is None
    assert found.unknown == ["ALL_PROXY"]
    assert "s@cret" not in repr(https)
    assert https.authorization not in repr(found)
    told = egress.variables(3128, environ)
    assert not [text for text in told.values() if "corp" in text or "s%40cret" in text]
