"""The server of the playground: its answers, and its bounds on connections."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.error
import urllib.request

import pytest

from purewasm_plugins.browser.server import PlaygroundServer
from purewasm_plugins.browser.site import Site
from tests.conftest import ROOT

PAGE = ROOT / "purewasm_plugins/browser/page"


def test_served(server: PlaygroundServer, site: Site) -> None:
    with urllib.request.urlopen(server.url) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.read() == site.files["index.html"]()
        assert answer.headers["Content-Security-Policy"].startswith(site.policy)
    with urllib.request.urlopen(server.url + "worker.js?x=1#y") as answer:
        assert answer.headers["Content-Type"].startswith("text/javascript")
    with urllib.request.urlopen(server.url + "plugins/echo.wasm") as answer:
        assert answer.headers["Content-Type"] == "application/wasm"
    head = urllib.request.Request(server.url + "style.css", method="HEAD")
    with urllib.request.urlopen(head) as answer:
        assert answer.read() == b""
        assert int(answer.headers["Content-Length"]) == (PAGE / "style.css").stat().st_size


@pytest.mark.parametrize("path", ["nothing", "../site.py", "%2e%2e/site.py", "page/", "a%00b"])
def test_nothing_else_is_served(server: PlaygroundServer, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(server.url + path)
    assert raised.value.code == 404
    assert "frame-ancestors 'none'" in raised.value.headers["Content-Security-Policy"]


def ask(server: PlaygroundServer, head: str) -> bytes:
    """Return the status line of the answer to a request."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
        connection.sendall(head.replace("PORT", str(server.server_port)).encode() + b"\r\n\r\n")
        return connection.makefile("rb").readline().strip()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Host: 127.0.0.1:PORT", 200),
        ("Host: localhost:PORT", 200),
        ("host: LOCALHOST:PORT", 200),
        ("Host: [::1]:PORT", 200),
        ("Host: attacker.example:PORT", 421),
        ("Host: attacker.example", 421),
        ("Host: localhost.attacker.example:PORT", 421),
        ("Host: 127.0.0.1", 421),
        ("Host: 127.0.0.1:1", 421),
        ("Host: 127.0.0.1:PORT\r\nHost: attacker.example:PORT", 421),
        ("Host:", 421),
        ("X: y", 421),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_only_requests_for_this_server(
    server: PlaygroundServer, method: str, head: str, status: int
) -> None:
    answer = ask(server, f"{method} /config.json HTTP/1.1\r\n{head}")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_the_names_of_a_server(site: Site) -> None:
    with PlaygroundServer(site, host="127.0.0.2") as server:
        server.server_close()
        names = ("localhost", "127.0.0.1", "127.0.0.2", "[::1]")
        assert server.hosts == {f"{name}:{server.server_port}" for name in names}


@pytest.mark.parametrize("sent", ["", "GET / HT", "whole", "slowly"])
def test_an_idle_connection_is_given_up(
    server: PlaygroundServer, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    monkeypatch.setattr("purewasm_plugins.browser.server.PATIENCE", 0.5)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        if sent == "whole":
            host = f"127.0.0.1:{server.server_port}"
            connection.sendall(f"GET /icon.svg HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        elif sent == "slowly":
            # A byte every 0.1 s keeps no connection open.
            connection.settimeout(0.1)
            for _ in range(300):
                try:
                    connection.sendall(b"x")
                    if not connection.recv(1):
                        return
                except TimeoutError:
                    continue
                except ConnectionError:
                    return
            pytest.fail("still connected after 30 s")
        else:
            connection.sendall(sent.encode())
        while connection.recv(65536):
            pass


def test_no_more_connections_than_there_is_room_for(
    server: PlaygroundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purewasm_plugins.browser.server.MAX_CONNECTIONS", 3)
    address = ("127.0.0.1", server.server_port)
    idle = [socket.create_connection(address, timeout=60) for _ in range(3)]
    head = "GET /icon.svg HTTP/1.1\r\nHost: 127.0.0.1:PORT"
    with contextlib.suppress(ConnectionError):
        assert ask(server, head) == b""
    idle.pop().close()
    deadline = time.monotonic() + 60
    answer = b""
    while not answer and time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError):
            answer = ask(server, head)
    assert answer == b"HTTP/1.1 200 OK"
    for connection in idle:
        connection.close()
