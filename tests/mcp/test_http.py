"""The transport over HTTP."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from purewasm_plugins import InvalidOptionError
from purewasm_plugins.mcp import HttpServer, McpServer, ServerLimits
from purewasm_plugins.mcp.calls import Peer
from purewasm_plugins.mcp.messages import Message, read_message
from purewasm_plugins.mcp.outbox import Outbox
from purewasm_plugins.mcp.sessions import Sessions
from purewasm_plugins.mcp.versions import PROTOCOL_VERSION
from tests.mcp.clients import (
    MODERN,
    PATIENCE,
    Browser,
    FunctionTool,
    Gate,
    Json,
    call,
    cancelled,
    initialize,
    legacy,
    marked,
    plugins,
    registry_of,
    request,
    served,
    wait_until,
)

DISCOVER = request("server/discover")
Headers = dict[str, str | None]


@pytest.fixture(scope="module")
def web() -> Iterator[HttpServer]:
    server = McpServer(plugins("echo", "loop_forever"), limits=ServerLimits(message_bytes=100_000))
    with served(server) as found:
        yield found


@pytest.fixture
def browser(web: HttpServer) -> Browser:
    return Browser(web.url)


def test_a_modern_request(browser: Browser) -> None:
    answer = browser.modern(call("echo", {"input": "hello"}))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["result"]["content"][0]["text"] == "hello"
    assert "Mcp-Session-Id" not in answer.headers


def test_a_connection_serves_many_requests(web: HttpServer) -> None:
    import http.client

    connection = http.client.HTTPConnection(Browser(web.url).address, timeout=PATIENCE)
    for _ in range(3):
        body = json.dumps(DISCOVER)
        connection.request(
            "POST",
            "/mcp",
            body,
            {
                "Content-Type": "application/json",
                "MCP-Protocol-Version": MODERN,
                "Mcp-Method": "server/discover",
            },
        )
        assert "result" in json.loads(connection.getresponse().read())
    connection.close()


#: Headers that differ from those of a right request, and the status of the answer.
REFUSED: list[tuple[Headers, int]] = [
    ({"Host": None}, 403),
    ({"Host": "evil.example.com"}, 403),
    ({"Host": "127.0.0.1.evil.example.com"}, 403),
    ({"Host": "127.0.0.1:x"}, 403),
    ({"Host": "user@127.0.0.1:0"}, 403),
    ({"Host": "[::1"}, 403),
    ({"Origin": "http://evil.example.com"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "file://localhost"}, 403),
    ({"Origin": ""}, 403),
    ({"Content-Type": None}, 415),
    ({"Content-Type": "text/plain"}, 415),
    ({"Accept": "text/html"}, 406),
    ({"Accept": "application/json"}, 406),
    ({"Content-Length": None}, 411),
    ({"Content-Length": None, "Transfer-Encoding": "chunked"}, 411),
    ({"Transfer-Encoding": "chunked"}, 411),
    ({"Content-Length": "-1"}, 400),
    ({"Content-Length": "1e3"}, 400),
    ({"Content-Length": "\u00b2"}, 400),
    ({"Content-Length": "100001"}, 413),
    ({"Content-Length": "9" * 30}, 400),
]


@pytest.mark.parametrize(("headers", "status"), REFUSED)
def test_requests_that_are_refused(browser: Browser, headers: Headers, status: int) -> None:
    answer = browser.modern(DISCOVER, headers)
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    error = answer.json()
    assert error["error"]["code"] == -32600
    assert "id" not in error


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "LOCALHOST:1234"},
        {"Host": "[::1]:80"},
        {"Origin": "http://localhost:6274"},
        {"Origin": "https://127.0.0.1"},
        {"Accept": None},
        {"Accept": "*/*"},
        {"Accept": "text/*;q=0.5, application/*"},
        {"Content-Type": "application/json; charset=utf-8"},
    ],
)
def test_requests_that_are_not_refused(browser: Browser, headers: Headers) -> None:
    assert browser.modern(DISCOVER, headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/mcp", 405),
        ("DELETE", "/mcp", 405),
        ("GET", "/", 404),
        ("POST", "/other", 404),
        ("PUT", "/mcp", 501),
        ("OPTIONS", "/mcp", 501),
    ],
)
def test_other_methods_and_paths(browser: Browser, method: str, path: str, status: int) -> None:
    body = DISCOVER if method == "POST" else None
    assert browser.send(method, body, path=path).status == status


def encoded(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


#: Headers that differ from those of a right call of the tool "echo", and the code of the error.
DIFFERENT: list[tuple[Headers, int | None]] = [
    ({}, None),
    ({"Mcp-Name": encoded("echo")}, None),
    ({"MCP-Protocol-Version": None}, -32020),
    ({"MCP-Protocol-Version": "2025-11-25"}, -32020),
    ({"MCP-Protocol-Version": "x"}, -32020),
    ({"Mcp-Method": None}, -32020),
    ({"Mcp-Method": "tools/list"}, -32020),
    ({"Mcp-Method": "TOOLS/CALL"}, -32020),
    ({"Mcp-Name": None}, -32020),
    ({"Mcp-Name": "loop"}, -32020),
    ({"Mcp-Name": encoded("loop")}, -32020),
    ({"Mcp-Name": "=?base64?!?="}, -32020),
    ({"Mcp-Name": "=?base64?/w==?="}, -32020),
]


@pytest.mark.parametrize(("headers", "code"), DIFFERENT)
def test_headers_repeat_the_body(browser: Browser, headers: Headers, code: int | None) -> None:
    answer = browser.modern(call("echo", {"input": "x"}), headers)
    assert answer.status == (200 if code is None else 400)
    message = answer.json()
    assert (message["id"], message.get("error", {}).get("code")) == (1, code)


def test_a_header_may_not_be_there_twice(web: HttpServer) -> None:
    body = json.dumps(DISCOVER).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"MCP-Protocol-Version: {MODERN}\r\nMcp-Method: server/discover\r\n"
        f"mcp-method: tools/call\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    answer = raw(web, head.encode() + body)
    assert b" 400 " in answer
    assert b"-32020" in answer


#: Modern requests, and the status and the code of the answer.
STATUSES: list[tuple[Any, int, int | None]] = [
    (DISCOVER, 200, None),
    (request("no/method"), 404, -32601),
    (request("ping"), 404, -32601),
    (request("tools/list", {"cursor": "x"}), 400, -32602),
    (call("no_tool"), 400, -32602),
    (marked("server/discover", {PROTOCOL_VERSION: "2099-01-01"}), 400, -32022),
]


@pytest.mark.parametrize(("message", "status", "code"), STATUSES)
def test_statuses(browser: Browser, message: Json, status: int, code: int | None) -> None:
    answer = browser.modern(message)
    assert answer.status == status
    assert answer.json().get("error", {}).get("code") == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b"", -32700),
        (b"[" * 1000, -32700),
        (b"1", -32600),
        (b"[]", -32600),
        (legacy("server/discover"), -32602),
        (legacy("tools/list", {"_meta": 1}), -32602),
    ],
)
def test_bodies_that_are_no_messages(browser: Browser, body: Any, code: int) -> None:
    answer = browser.post(body, {"MCP-Protocol-Version": MODERN})
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)


def test_a_modern_notification_is_accepted(browser: Browser) -> None:
    notice = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert browser.post(notice, {"MCP-Protocol-Version": MODERN}).status == 202


@pytest.fixture
def gated() -> Iterator[tuple[Gate, McpServer, Browser]]:
    """A tool that waits, and a server and a client of it."""
    gate = Gate()
    limits = ServerLimits(calls=2, sessions=2, connections=8, subscriptions=2)
    server = McpServer(registry_of(gate, FunctionTool("quick")), limits=limits)
    with served(server) as web:
        yield gate, server, Browser(web.url)
        gate.open()


def test_closing_the_stream_of_a_modern_call_cancels_it(
    gated: tuple[Gate, McpServer, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purewasm_plugins.mcp.http._BEGIN", 0.05)
    gate, _, browser = gated
    answer = browser.modern(call("gate"))
    assert answer.streams
    assert gate.entered.acquire(timeout=PATIENCE)
    answer.close()
    assert gate.opened.wait(PATIENCE), "the cancellation opens it"


def test_closing_the_connection_before_the_answer_cancels_too(
    gated: tuple[Gate, McpServer, Browser],
) -> None:
    gate, _, browser = gated
    host, port = browser.address.split(":")
    body = json.dumps(call("gate")).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"MCP-Protocol-Version: {MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: gate\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        assert gate.entered.acquire(timeout=PATIENCE)
    assert gate.opened.wait(PATIENCE)


def test_progress_begins_a_stream(web: HttpServer, browser: Browser) -> None:
    answer = browser.modern(call("loop", {"input": "x"}, token="t"))
    assert answer.streams
    assert answer.headers["X-Accel-Buffering"] == "no"
    message = answer.event()
    assert message is not None
    assert message["params"]["progressToken"] == "t"
    answer.close()


def test_a_list_of_changes_over_http(gated: tuple[Gate, McpServer, Browser]) -> None:
    _, server, browser = gated
    wishes = {"notifications": {"toolsListChanged": True}}
    answer = browser.modern(request("subscriptions/listen", wishes, id=9))
    first = answer.event()
    assert first is not None
    assert first["method"] == "notifications/subscriptions/acknowledged"
    server.tools_changed()
    assert (answer.event() or {})["method"] == "notifications/tools/list_changed"
    answers = [browser.modern(request("subscriptions/listen", wishes, id=id)) for id in range(3)]
    assert [one.streams for one in answers] == [True, False, False]
    assert answers[1].json()["error"]["code"] == -32603
    answers[0].close()
    answer.close()


def test_the_end_of_the_server_ends_its_streams() -> None:
    server = McpServer(registry_of())
    with served(server) as web:
        browser = Browser(web.url)
        wishes = {"notifications": {"toolsListChanged": True}}
        modern = browser.modern(request("subscriptions/listen", wishes, id=9))
        modern.event()
        earlier = browser.send("GET", None, browser.session())
        web.close()
        assert modern.events()[-1]["result"]["resultType"] == "complete"
        assert earlier.events() == []


def test_a_session(browser: Browser) -> None:
    session = browser.session("2025-06-18")
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert browser.post(initialized, session).status == 202
    assert browser.post({"jsonrpc": "2.0", "id": 1, "result": {}}, session).status == 202
    answer = browser.post(legacy("tools/list"), session)
    assert [tool["name"] for tool in answer.json()["result"]["tools"]] == ["echo", "loop"]
    assert browser.post(legacy("no/method"), session).status == 200
    assert browser.send("DELETE", None, session).status == 204
    assert browser.post(legacy("ping"), session).status == 404
    assert browser.send("DELETE", None, session).status == 404


def test_without_a_version_header_a_session_works(browser: Browser) -> None:
    session = browser.session("2025-03-26")
    del session["MCP-Protocol-Version"]
    assert browser.post(legacy("ping"), session).json()["result"] == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 400), ({"Mcp-Session-Id": "x"}, 404), ({"Mcp-Session-Id": ""}, 404)],
)
def test_requests_of_no_session(browser: Browser, headers: Headers, status: int) -> None:
    assert browser.post(legacy("tools/list"), headers).status == status


def test_a_refused_initialize_begins_no_session(browser: Browser) -> None:
    answer = browser.post(legacy("initialize", {"protocolVersion": 1}))
    assert "Mcp-Session-Id" not in answer.headers
    assert answer.json()["error"]["code"] == -32602


def test_an_unsupported_version_of_a_session_is_refused(browser: Browser) -> None:
    session = browser.session() | {"MCP-Protocol-Version": "1999-01-01"}
    assert browser.post(legacy("ping"), session).status == 400


def test_a_session_cancels_with_a_notification(gated: tuple[Gate, McpServer, Browser]) -> None:
    gate, _, browser = gated
    session = browser.session()
    answers = []
    message = legacy("tools/call", {"name": "gate"}, id="long")
    thread = threading.Thread(target=lambda: answers.append(browser.post(message, session)))
    thread.start()
    assert gate.entered.acquire(timeout=PATIENCE)
    assert browser.post(cancelled("long"), session).status == 202
    thread.join(PATIENCE)
    assert answers[0].events() == [], "there is no response"


def test_a_session_has_one_stream_of_changes(gated: tuple[Gate, McpServer, Browser]) -> None:
    _, server, browser = gated
    session = browser.session()
    stream = browser.send("GET", None, session)
    assert stream.streams
    assert browser.send("GET", None, session).status == 409
    assert browser.send("GET", None, session | {"Accept": "application/json"}).status == 406
    server.tools_changed()
    assert stream.event() == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    assert browser.send("DELETE", None, session).status == 204
    assert stream.events() == []


def test_sessions_are_bounded(gated: tuple[Gate, McpServer, Browser]) -> None:
    _, _, browser = gated
    first, second = browser.session(), browser.session()
    assert browser.post(legacy("ping"), first).status == 200
    third = browser.session()
    assert browser.post(legacy("ping"), second).status == 404, "it was used longest ago"
    streams = [browser.send("GET", None, one) for one in (first, third)]
    answer = browser.post(initialize())
    assert answer.status == 503
    assert answer.json()["error"]["code"] == -32603
    for stream in streams:
        stream.close()


def test_a_batch_is_answered_with_a_stream(browser: Browser) -> None:
    session = browser.session("2025-03-26")
    notice = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    echo = legacy("tools/call", {"name": "echo", "arguments": {"input": "x"}}, id=2)
    answer = browser.post([legacy("ping", id=1), notice, echo, 5], session)
    assert {message.get("id") for message in answer.events()} == {1, 2, None}
    assert browser.post([notice], session).status == 202
    assert browser.post([], session).status == 400


def test_a_large_batch_costs_nothing(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    def counting(value: Any) -> Message:
        read.append(value)
        return read_message(value)

    monkeypatch.setattr("purewasm_plugins.mcp.http.read_message", counting)
    headers = browser.session("2025-03-26")
    del read[:]
    answer = browser.post([1] * 30_000, headers)
    assert (answer.status, answer.json()["error"]["code"]) == (400, -32600)
    assert len(read) <= ServerLimits().batch


def test_a_session_that_has_ended_opens_no_stream() -> None:
    """The request for it came before the end."""
    sessions = Sessions(1)
    session = sessions.add(Peer())
    assert session is not None
    sessions.remove(session)
    assert not session.open_stream(Outbox(1))


def test_a_token() -> None:
    server = McpServer(registry_of(), private=True)
    with served(server, token="secret") as web:
        browser = Browser(web.url)
        for shown in (
            None,
            "",
            "secret",
            "Basic secret",
            "Bearer",
            "Bearer Secret",
            "Bearer sécret",
        ):
            answer = browser.modern(DISCOVER, {"Authorization": shown})
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        answer = browser.modern(DISCOVER, {"Authorization": "bearer secret"})
        assert answer.json()["result"]["cacheScope"] == "private"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com"])
def test_other_machines_need_a_token(host: str) -> None:
    with pytest.raises(InvalidOptionError, match="other machines can reach"):
        HttpServer(McpServer(registry_of()), host)


@pytest.mark.parametrize("token", ["", "ü", "a\nb"])
def test_tokens_are_checked(token: str) -> None:
    with pytest.raises(InvalidOptionError, match="printable ASCII"):
        HttpServer(McpServer(registry_of()), token=token)


def test_a_name_of_this_machine_can_be_given() -> None:
    with served(McpServer(registry_of()), hosts=["Plugins.Test"]) as web:
        browser = Browser(web.url)
        assert browser.modern(DISCOVER, {"Host": "plugins.test:80"}).status == 200
        assert browser.modern(DISCOVER, {"Host": "other.test"}).status == 403


def test_two_servers_on_one_port(web: HttpServer) -> None:
    port = int(Browser(web.url).address.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        HttpServer(McpServer(registry_of()), port=port)


def test_a_port_can_be_used_again() -> None:
    first = HttpServer(McpServer(registry_of()))
    port = int(first.url.rpartition(":")[2].partition("/")[0])
    first.close()
    HttpServer(McpServer(registry_of()), port=port).close()


def raw(web: HttpServer, data: bytes) -> bytes:
    """Send bytes, and return all that comes back."""
    host, _, port = Browser(web.url).address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x00\x01\x02\r\n\r\n", b"Bad request"),
        (b"GET\r\n\r\n", b"Bad request"),
        (b"POST /mcp HTTP/9.9\r\n\r\n", b"Invalid HTTP version"),
        (b"POST /mcp HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"POST /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"POST /mcp HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        # No more than the server reads: it would reset the connection.
        ((b"POST /mcp HTTP/1.1\r\n" + (b"A: " + b"x" * 2000 + b"\r\n") * 70)[: 1 << 17], b"431"),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"403"),
        (b"POST /mcp HTTP/1.1\r\nno header\r\nHost: localhost\r\n\r\n", b"400"),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nno header\r\nA: b\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_http(web: HttpServer, data: bytes, expected: bytes) -> None:
    assert expected in raw(web, data).split(b"\n")[0]
    assert Browser(web.url).modern(DISCOVER).status == 200, "the server lives"


@pytest.mark.parametrize("length", ["Content-Length: {}", "content-length: {}"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_body_that_is_not_read_is_no_request(
    web: HttpServer, browser: Browser, method: str, length: str
) -> None:
    session = browser.post(initialize()).headers["Mcp-Session-Id"]
    hidden = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    head = f"{method} /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: {session}\r\n"
    accept = "Accept: text/html\r\n"
    data = f"{head}{accept}{length.format(len(hidden))}\r\n\r\n{hidden}"
    assert raw(web, data.encode()).count(b"HTTP/1.1 ") == 1


def test_a_client_that_closes_in_the_middle(web: HttpServer) -> None:
    host, _, port = Browser(web.url).address.rpartition(":")
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole = head + b'Content-Length: 50\r\n\r\n{"jsonrpc": "2.0", '
    for end in range(0, len(whole) + 1, 7):
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(whole[:end])
    assert Browser(web.url).modern(DISCOVER).status == 200


def test_connections_are_bounded_and_end_with_their_time() -> None:
    limits = ServerLimits(connections=3, patience=0.3)
    with served(McpServer(registry_of(), limits=limits)) as web:
        host, _, port = Browser(web.url).address.rpartition(":")
        silent = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(20)]
        silent[0].sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n")
        for connection in silent:
            # Each is closed: at once, or when its time is over.
            while connection.recv(1000):
                pass
            connection.close()

        def answered() -> bool:
            try:
                return Browser(web.url).modern(DISCOVER).status == 200
            except OSError:
                return False

        wait_until(answered)
