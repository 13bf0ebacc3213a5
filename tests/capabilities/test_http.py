"""HTTP for plugins: what is sent, what comes back, and what is refused in words."""

from __future__ import annotations

import base64
import gzip
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from itertools import count
from threading import Event, Timer
from typing import Any

import pytest

from purewasm_plugins import (
    Cancelled,
    DeadlineExceeded,
    Http,
    InvalidOptionError,
    PluginOptions,
    ResourceLimits,
    ToolExecutionError,
    WasmPlugin,
)
from purewasm_plugins.capabilities import hosts
from purewasm_plugins.tools import Cancellation
from tests.capabilities.conftest import caller_of
from tests.capabilities.server import Server, redirecting, saying, serving
from tests.conftest import ROOT

Caller = Callable[..., WasmPlugin]
Ask = Callable[..., str]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def ask(caller: Caller, server: Server) -> Ask:
    """`ask(path or URL, method, headers, body, **fields)`: what a plugin that may ask gets."""
    return asking(caller, server)


@pytest.fixture
def ask_once(server: Server) -> Ask:
    """The same on one engine, for what depends on none."""
    return asking(
        lambda name, **options: WasmPlugin.load_from_bytes(caller_of(name), **options), server
    )


def asking(caller: Caller, server: Server) -> Ask:
    def ask(
        url: str = "/", method: str = "GET", headers: str = "", body: str = "", **fields: Any
    ) -> str:
        granted = Http(**({"hosts": (server.host,)} | fields))
        plugin = caller("http_request", http=granted)
        where = f"http://{server.host}{url}" if url.startswith("/") else url
        return plugin.execute_tool(0, "|".join((method, where, headers, body)))

    return ask


def test_a_request(ask: Ask, server: Server) -> None:
    server.script = saying(
        "HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\nX:  a\r\n b\r\nContent-Length: 3\r\n\r\n",
        "°C".encode(),
    )
    found = ask("/a?b=1#part", "POST", "X-One: 1\nAuthorization:  Bearer t ", "né")
    assert found == "=201 text\ncontent-type: text/plain\nx: a  b\ncontent-length: 3\n\n°C"
    assert server.requests == [
        "POST /a?b=1 HTTP/1.1\r\n"
        f"Host: {server.host}\r\nConnection: close\r\nAccept-Encoding: identity\r\n"
        "User-Agent: purewasm-plugins/0.1.0\r\nContent-Length: 3\r\n"
        "X-One: 1\r\nAuthorization: Bearer t\r\n\r\n" + "né".encode().decode("latin-1")
    ]


def test_nothing_is_granted_without_a_grant(caller: Caller, server: Server) -> None:
    plugin = caller("http_request")
    assert plugin.execute_tool(0, f"GET|http://{server.host}/||") == "!HTTP was not granted"
    assert not server.requests


def test_a_failed_request_leaves_the_plugin_as_it_is(caller: Caller, server: Server) -> None:
    plugin = caller("http_request", http=Http(hosts=(server.host,)))
    instance = plugin.instance
    assert plugin.execute_tool(0, "GET|http://other.example/||").startswith("!the host")
    assert plugin.execute_tool(0, f"GET|http://{server.host}/||").endswith("\n\nhi")
    assert plugin.instance is instance


def test_bodies_that_are_no_text(ask: Ask, server: Server) -> None:
    """A bomb stays packed: nothing is decoded."""
    bomb = gzip.compress(bytes(10_000_000))
    for body in (bomb, b"a\0b", b"\xff"):
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        server.script = saying(head, body)
        answer, _, text = ask().partition("\n\n")
        assert answer.startswith("=200 base64\ncontent-encoding: gzip")
        assert base64.b64decode(text) == body
    server.script = saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )
    assert ask().endswith("\n\nhi")
    server.script = saying("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert ask(method="HEAD") == "=200 text\ncontent-length: 5\n\n"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "file:///etc/passwd",
        "ftp://{host}/",
        "http:///",
        "http://user@{host}/",
        "http://user:password@{host}/",
        "http://{host}@other.example/",
        "http://other.example\\@{host}/",
        "http://{host}/ HTTP/1.1\r\nX: 1",
        "http://{host}/\r\n",
        "http://{host}\t/",
        "http://{host}/é",
        "http://127.0.0.1%2f/",
        "http://127.0.0.1:99999999/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1.:{port}/",
        "http://0x7f000001:{port}/",
        "http://0x7f.1:{port}/",
        "http://2130706433:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://[::1%25lo]/",
        "http://[127.0.0.1]:{port}x/",
        "http://{host}/" + "x" * 9000,
    ],
)
def test_what_is_no_url(ask_once: Ask, server: Server, url: str) -> None:
    text = url.replace("{host}", server.host).replace("{port}", str(server.port))
    assert ask_once(text).startswith("!the URL is none")
    assert not server.requests


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://127.0.0.2:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://[::127.0.0.1]:{port}/",
        "http://127.0.0.1.nip.example:{port}/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_hosts_that_are_not_in_the_list(ask_once: Ask, server: Server, url: str) -> None:
    assert "was not granted" in ask_once(url.replace("{port}", str(server.port)))
    assert not server.requests


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Have each name lead to some addresses; returns the names that are looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port))
            for one in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.0.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%1", "fc00::1", "fec0::1", "ff02::1", "::127.0.0.1"),
        *("::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1"),
        *("192.0.0.8", "192.88.99.1", "3fff::1"),
    ],
)
def test_a_name_that_leads_to_an_address_that_is_not_public(
    address: str, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    assert not hosts.is_public(
        getattr(ip_address(address), "ipv4_mapped", None) or ip_address(address)
    )
    resolving(monkeypatch, address)
    plugin = WasmPlugin.load_from_bytes(
        caller_of("http_request"), http=Http(hosts=(f"rebound.example:{server.port}",))
    )
    found = plugin.execute_tool(0, f"GET|http://rebound.example:{server.port}/||")
    assert found == "!'rebound.example' has no public address, and no other was granted"
    assert not server.requests


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2a00:1450::1"]
)
def test_public_addresses(address: str) -> None:
    assert hosts.is_public(ip_address(address))


def test_a_name_is_looked_up_once(
    ask: Ask, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot lead elsewhere between the check and the connection."""
    asked = resolving(monkeypatch, "10.0.0.1", "127.0.0.1")
    place = f"inner.example:{server.port}"
    assert ask(f"http://{place}/", hosts=(place,), addresses=("127.0.0.0/8",)).startswith("=200")
    assert asked == ["inner.example"]
    assert f"Host: {place}\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("granted", "url", "fits"),
    [
        ("localhost:{port}", "http://LOCALHOST:{port}/", True),
        ("127.0.0.1:{port}", "http://localhost:{port}/", False),
        ("*.localhost:{port}", "http://localhost:{port}/", False),
        ("*.example.com", "http://example.com/", False),
        ("*.example.com", "http://badexample.com/", False),
        ("example.com", "http://a.example.com/", False),
        ("example.com", "http://example.com:8080/", False),
    ],
)
def test_hosts(ask_once: Ask, server: Server, granted: str, url: str, fits: bool) -> None:
    port = str(server.port)
    found = ask_once(url.replace("{port}", port), hosts=(granted.replace("{port}", port),))
    assert found.startswith("=200") is fits
    assert ("was not granted" in found) is not fits


def test_an_address_of_ipv6(ask: Ask) -> None:
    try:
        with serving("::1", socket.AF_INET6) as server:
            place = f"[::1]:{server.port}"
            found = ask(f"http://[0:0::0:1]:{server.port}/", hosts=(place,))
            assert found.startswith("=200")
            assert f"Host: {place}\r\n" in server.requests[0]
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://127.0.0.1/", "'127.0.0.1' was not granted"),
        ("http://169.254.169.254/latest", "'169.254.169.254' was not granted"),
        ("//localhost:1/", "'localhost:1' was not granted"),
        ("http://a:b@{host}/", "the URL is none"),
        ("file:///etc/passwd", "the URL is none"),
        ("http://[::1", "no URL"),
        ("/again", "redirects more than 5 times"),
    ],
)
def test_redirects_that_are_refused(
    ask_once: Ask, server: Server, location: str, words: str
) -> None:
    server.script = redirecting(location.replace("{host}", server.host))
    found = ask_once()
    assert found[0] == "!"
    assert words in found
    assert len(server.requests) == (6 if location == "/again" else 1)


def test_redirects_that_are_followed(ask: Ask, server: Server) -> None:
    with serving() as other:
        server.script = redirecting(f"http://{other.host}/there", 303)
        found = ask(
            "/here", "POST", "Authorization: t\nX: 1", "text", hosts=(server.host, other.host)
        )
        assert found.endswith("\n\nhi")
    (request,) = other.requests
    assert request.startswith("GET /there HTTP/1.1\r\n")
    assert "Authorization" not in request
    assert "X: 1\r\n" in request
    server.script = redirecting("/x", 307)
    assert "more than 0 times" in ask(redirects=0)


@pytest.mark.parametrize(
    "headers",
    [
        *("a", "a b: c", ": x", "a: b\rc", "a: b\x00c", "a: é", "Host: x", "content-LENGTH: 1"),
        *("Transfer-Encoding: chunked", "Proxy-Authorization: x", "Connection: close", "a: \x1b"),
        *("\n".join(f"h{n}: 1" for n in range(65)), "x" * 101 + ": 1"),
        "a: b\r\n\r\nGET / HTTP/1.1",
    ],
)
def test_headers_that_are_refused(ask_once: Ask, server: Server, headers: str) -> None:
    found = ask_once(headers=headers.replace("\x00", "\x01"))
    assert found[0] == "!"
    assert not server.requests


def test_methods_and_sizes(ask: Ask, server: Server) -> None:
    assert "the method is none of GET, HEAD, POST" in ask(method="DELETE")
    assert "the method is none of" in ask(method="GET / HTTP/1.1\r\nX:")
    assert "more than 100 bytes" in ask(method="POST", body="x" * 100, request_bytes=100)
    assert not server.requests
    server.script = saying("HTTP/1.1 200 OK\r\n\r\n" + "x" * 101)
    assert "more than 100 bytes" in ask(response_bytes=100)
    assert ask(response_bytes=101).endswith("\n\n" + "x" * 101)
    server.script = saying("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx")
    assert ask() == "!the response ends too early"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + "x" * 70_000,
        "HTTP/1.1 200 OK\r\n" + "a: b\r\n" * 200 + "\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_what_is_no_response(ask_once: Ask, server: Server, said: str) -> None:
    server.script = saying(said)
    assert ask_once()[0] == "!"


def test_a_response_may_have_any_number_of_bytes(ask_once: Ask, server: Server) -> None:
    """The number alone costs nothing."""
    for length in ("Content-Length: 2\r\n", ""):
        server.script = saying(f"HTTP/1.1 200 OK\r\n{length}\r\nhi")
        assert ask_once(response_bytes=sys.maxsize).endswith("\n\nhi")


def test_a_response_without_end(ask: Ask, server: Server) -> None:
    def endless(connection: socket.socket) -> None:
        for _ in count():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    server.script = endless
    assert ask() == "!the response is too long"


def test_nothing_listens(ask: Ask) -> None:
    with serving() as gone:
        place = gone.host
    assert ask(f"http://{place}/", hosts=(place,)).startswith("!the connection failed")


def test_a_family_of_addresses_that_the_machine_lacks(
    ask_once: Ask, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("127.0.0.1", server.port)
    found = [(family, socket.SOCK_STREAM, 6, "", place) for family in (9999, socket.AF_INET)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert ask_once().endswith("\n\nhi")


def dripping(connection: socket.socket) -> None:
    """Send a byte from time to time, without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")
        Event().wait(0.01)


def silent(connection: socket.socket) -> None:
    Event().wait(5)


@pytest.mark.parametrize("script", [dripping, silent])
def test_time(ask: Ask, caller: Caller, server: Server, script: Any) -> None:
    """A request has its own time, which the plugin survives, and that of the call."""
    server.script = script
    assert ask(timeout=0.1) == "!it took longer than 0.1 seconds"
    plugin = caller(
        "http_request", http=Http(hosts=(server.host,)), limits=ResourceLimits(timeout=5)
    )
    request = f"GET|http://{server.host}/||"
    with pytest.raises(ToolExecutionError) as caught:
        plugin.execute_tool(0, request, timeout=0.15)
    assert isinstance(caught.value.__cause__, DeadlineExceeded)
    cancellation = Cancellation()
    Timer(0.1, cancellation.request).start()
    with pytest.raises(ToolExecutionError) as caught:
        plugin.execute_tool(0, request, cancellation=cancellation)
    assert isinstance(caught.value.__cause__, Cancelled)


def test_a_lookup_without_end(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        ended.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert ask("http://slow.example/", hosts=("slow.example",), timeout=0.1).startswith("!it took")
    ended.set()


def test_an_answer_that_is_too_long_for_the_limits(caller: Caller, server: Server) -> None:
    server.script = saying("HTTP/1.1 200 OK\r\n\r\n" + "x" * 2000)
    limits = ResourceLimits(output_bytes=1000)
    plugin = caller("http_request", http=Http(hosts=(server.host,)), limits=limits)
    found = plugin.execute_tool(0, f"GET|http://{server.host}/||")
    assert found == "!the answer is longer than 1000 bytes"


def test_a_certificate_that_nobody_has_signed(ask: Ask, server: Server) -> None:
    """A server without TLS has none at all."""
    server.script = saying("HTTP/1.1 200 OK\r\n\r\n")
    assert ask(f"https://{server.host}/").startswith("!the connection failed: SSL")


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({"hosts": "example.com"}, "hosts"),
        ({"hosts": ("http://example.com",)}, "hosts"),
        ({"hosts": ("a@example.com",)}, "hosts"),
        ({"hosts": ("*",)}, "hosts"),
        ({"hosts": ("*.1",)}, "hosts"),
        ({"hosts": ("0177.0.0.1",)}, "hosts"),
        ({"hosts": ("example.com.",)}, "hosts"),
        ({"hosts": (1,)}, "hosts"),
        ({"hosts": ("example.com:65536",)}, "hosts"),
        ({"hosts": ("*.127.0.0.1",)}, "hosts"),
        ({"hosts": (), "methods": ("CONNECT",)}, "methods"),
        ({"hosts": (), "addresses": ("10.0.0.1/8",)}, "addresses"),
        ({"hosts": (), "timeout": -1}, "timeout"),
        ({"hosts": (), "timeout": float("nan")}, "timeout"),
        ({"hosts": (), "response_bytes": True}, "response_bytes"),
        ({"hosts": (), "redirects": 1.5}, "redirects"),
    ],
)
def test_grants_that_are_refused(fields: dict[str, Any], option: str) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        Http(**fields)
    assert caught.value.option == option


def test_the_option() -> None:
    with pytest.raises(InvalidOptionError, match="Http or None"):
        PluginOptions(http=("example.com",))  # type: ignore[arg-type]


def test_pyodide_has_no_http(
    ask_once: Ask, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert ask_once() == "!there is no HTTP in Pyodide"
    assert not server.requests


def test_the_grant_can_be_made_without_ssl() -> None:
    """Pyodide has none."""
    code = """if True:
        import sys
        sys.modules["ssl"] = None
        from purewasm_plugins import Http, WasmPlugin, example
        WasmPlugin.load(example("echo"), http=Http(hosts=("example.com",)))
    """
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
