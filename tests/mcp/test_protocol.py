"""What the server answers to each message, whatever brings it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins import ToolDefinition, __version__
from purewasm_plugins.mcp import McpServer, ServerLimits
from purewasm_plugins.mcp.versions import (
    CLIENT_CAPABILITIES,
    LEGACY_VERSIONS,
    LOG_LEVEL,
    PROTOCOL_VERSION,
    SERVER_INFO,
)
from tests.mcp.clients import (
    MODERN,
    FunctionTool,
    Gate,
    Inbox,
    Json,
    Talk,
    call,
    cancelled,
    initialize,
    legacy,
    marked,
    meta,
    plugins,
    registry_of,
    request,
)

ECHO = {"name": "echo", "arguments": {"input": "hello"}}


@pytest.fixture(scope="module")
def server() -> McpServer:
    return McpServer(plugins("echo", "c_json", "trap_division"))


def test_a_modern_client_discovers_the_server(server: McpServer) -> None:
    answer = Talk(server).ask(request("server/discover", id="a"))
    assert answer == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": {
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {"listChanged": True}, "logging": {}},
            "ttlMs": 60_000,
            "cacheScope": "public",
            "_meta": {SERVER_INFO: {"name": "purewasm", "version": __version__}},
        },
    }


def test_instructions_and_privacy() -> None:
    server = McpServer(registry_of(), instructions="Use me.", private=True)
    assert Talk(server).ask(initialize())["result"]["instructions"] == "Use me."
    result = Talk(server).ask(request("server/discover"))["result"]
    assert (result["instructions"], result["cacheScope"]) == ("Use me.", "private")


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_an_earlier_client_begins_with_initialize(server: McpServer, version: str) -> None:
    client = Talk(server)
    assert client.ask(legacy("ping"))["result"] == {}
    result = client.ask(initialize(version))["result"]
    assert (result["protocolVersion"], result["serverInfo"]["name"]) == (version, "purewasm")
    client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    tools = client.ask(legacy("tools/list"))["result"]
    assert {*tools} == {"tools"}
    result = client.ask(legacy("tools/call", ECHO))["result"]
    assert result == {"content": [{"type": "text", "text": "hello"}], "isError": False}


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01", ""])
def test_initialize_offers_its_newest_version_for_one_that_it_has_not(
    server: McpServer, version: str
) -> None:
    assert Talk(server).ask(initialize(version))["result"]["protocolVersion"] == "2025-11-25"


def test_one_client_may_use_both_eras(server: McpServer) -> None:
    client = Talk(server, "2025-06-18")
    assert client.ask(request("tools/call", ECHO))["result"]["resultType"] == "complete"
    assert "resultType" not in client.ask(legacy("tools/call", ECHO))["result"]


#: Messages, and the code and the id of the error that answers each.
WRONG: list[tuple[Any, int, Any]] = [
    (b"", -32700, None),
    (b"no JSON", -32700, None),
    (b"\xff\xfe", -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"', -32700, None),
    (b"[" * 100_000, -32700, None),
    (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', -32700, None),
    (b'{"jsonrpc":"2.0","id":1' + b"0" * 5000 + b',"method":"ping"}', -32700, None),
    (1, -32600, None),
    ("ping", -32600, None),
    (None, -32600, None),
    ([], -32600, None),
    ([request("server/discover")], -32600, None),
    ({}, -32600, None),
    ({"jsonrpc": "1.0", "id": 7, "method": "ping"}, -32600, 7),
    ({"id": 7, "method": "ping"}, -32600, 7),
    ({"jsonrpc": "2.0", "id": 7}, -32600, 7),
    ({"jsonrpc": "2.0", "id": 7, "method": 1}, -32600, 7),
    ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600, None),
    ({"jsonrpc": "2.0", "id": True, "method": "ping"}, -32600, None),
    ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, -32600, None),
    ({"jsonrpc": "2.0", "id": {}, "method": "ping"}, -32600, None),
    ({"jsonrpc": "2.0", "id": "x" * 1001, "method": "ping"}, -32600, None),
    ({"jsonrpc": "2.0", "id": 7, "method": "ping", "params": []}, -32602, 7),
    # What a modern request must say of itself.
    (legacy("tools/list"), -32602, 1),
    (legacy("server/discover", {"_meta": []}), -32602, 1),
    (legacy("server/discover", {"_meta": {CLIENT_CAPABILITIES: {}}}), -32602, 1),
    (legacy("server/discover", {"_meta": {PROTOCOL_VERSION: MODERN}}), -32602, 1),
    (marked("server/discover", {CLIENT_CAPABILITIES: []}), -32602, 1),
    (marked("server/discover", {PROTOCOL_VERSION: 1}), -32602, 1),
    (marked("server/discover", {PROTOCOL_VERSION: "2025-11-25"}), -32022, 1),
    (marked("server/discover", {PROTOCOL_VERSION: "x"}), -32022, 1),
    (marked("server/discover", {LOG_LEVEL: "loud"}), -32602, 1),
    (marked("server/discover", {LOG_LEVEL: []}), -32602, 1),
    (request("server/discover", progressToken=1.5), -32602, 1),
    (request("server/discover", progressToken="x" * 1001), -32602, 1),
    # Methods.
    (request("no/method"), -32601, 1),
    (request("initialize"), -32601, 1),
    (request("ping"), -32601, 1),
    (request("logging/setLevel", {"level": "info"}), -32601, 1),
    (request("prompts/list"), -32601, 1),
    (request("resources/read", {"uri": "file:///a"}), -32601, 1),
    (request(""), -32601, 1),
    # Parameters.
    (request("tools/list", {"cursor": 1}), -32602, 1),
    (request("tools/list", {"cursor": ""}), -32602, 1),
    (request("tools/list", {"cursor": "1-0123456789abcdef"}), -32602, 1),
    (request("tools/call"), -32602, 1),
    (request("tools/call", {"name": 1}), -32602, 1),
    (request("tools/call", {"name": "echo", "arguments": []}), -32602, 1),
    (request("tools/call", {"name": "echo", "arguments": None}), -32602, 1),
    (call("no_tool"), -32602, 1),
    (call(""), -32602, 1),
    (request("subscriptions/listen"), -32602, 1),
    (request("subscriptions/listen", {"notifications": []}), -32602, 1),
    (request("subscriptions/listen", {"notifications": {"toolsListChanged": 1}}), -32602, 1),
    (legacy("initialize"), -32602, 1),
    (legacy("initialize", {"protocolVersion": 1}), -32602, 1),
]


@pytest.mark.parametrize(("message", "code", "id"), WRONG)
def test_a_wrong_message_is_answered_with_an_error(
    server: McpServer, message: Any, code: int, id: Any
) -> None:
    client = Talk(server)
    answer = client.ask(message)
    assert (answer["error"]["code"], answer.get("id")) == (code, id)
    assert answer["error"]["message"]
    assert client.ask(request("server/discover"))["result"], "the server lives"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (legacy("no/method"), -32601),
        (legacy("server/discover"), -32601),
        (legacy("subscriptions/listen", {"notifications": {}}), -32601),
        (legacy("resources/list"), -32601),
        (initialize(), -32600),
        (legacy("logging/setLevel", {"level": "loud"}), -32602),
        (legacy("logging/setLevel"), -32602),
        (legacy("tools/list", {"cursor": "x"}), -32602),
        (legacy("tools/call", {"name": "no_tool"}), -32602),
        (legacy("tools/call", {"_meta": {"progressToken": []}, **ECHO}), -32602),
        ([legacy("ping")], -32600),
    ],
)
def test_a_wrong_message_of_an_earlier_client(server: McpServer, message: Any, code: int) -> None:
    assert Talk(server, "2025-11-25").ask(message)["error"]["code"] == code


def test_an_unsupported_version_is_told_which_ones_there_are(server: McpServer) -> None:
    error = Talk(server).ask(marked("tools/list", {PROTOCOL_VERSION: "2099-01-01"}))["error"]
    assert error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("echo", {}, "arguments must have ['input']"),
        ("echo", {"input": 1}, "arguments.input must be of type 'string'"),
        ("echo", {"input": "x", "more": 1}, "arguments.more is not allowed"),
        ("echo", {"input": "a\0b"}, "the text holds U+0000 at character 1"),
        ("divide", {"input": ""}, "integer divide by zero"),
    ],
)
def test_what_a_model_can_mend_is_a_result(
    server: McpServer, tool: str, arguments: Json, words: str
) -> None:
    result = Talk(server).ask(call(tool, arguments))["result"]
    assert result["isError"]
    assert words in result["content"][0]["text"]


def test_an_unknown_tool_has_a_hint(server: McpServer) -> None:
    assert "echo" in Talk(server).ask(call("ecko"))["error"]["message"]


def test_notifications_and_responses_are_not_answered(server: McpServer) -> None:
    client = Talk(server)
    for message in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "no/such"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled"},
        cancelled(1),
        cancelled([]),
        cancelled(True),
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": ""}},
    ):
        client.send(message)
    assert client.inbox.empty


def test_a_batch_is_of_one_revision(server: McpServer) -> None:
    client = Talk(server, "2025-03-26")
    notice = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    client.send(
        [legacy("ping", id=1), notice, 7, legacy("no", id=2), legacy("tools/call", ECHO, 3)]
    )
    answers = [client.inbox.get() for _ in range(4)]
    assert {answer.get("id") for answer in answers} == {1, 2, 3, None}
    assert client.inbox.empty
    assert client.ask([])["error"]["code"] == -32600


def test_a_batch_is_bounded() -> None:
    server = McpServer(registry_of(), limits=ServerLimits(batch=2))
    client = Talk(server, "2025-03-26")
    assert client.ask([legacy("ping")] * 3)["error"]["code"] == -32600


def test_a_list_of_changes_is_acknowledged_first_and_tagged(server: McpServer) -> None:
    client = Talk(server)
    wishes = {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}
    client.send(request("subscriptions/listen", wishes, id="s"))
    first = client.inbox.get()
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["notifications"] == {"toolsListChanged": True}
    server.tools_changed()
    second = client.inbox.get()
    assert second["method"] == "notifications/tools/list_changed"
    tags = {"io.modelcontextprotocol/subscriptionId": "s"}
    assert first["params"]["_meta"] == second["params"]["_meta"] == tags
    assert client.ask(request("subscriptions/listen", wishes, "s"))["error"]["code"] == -32600
    client.send(cancelled("s"))
    server.tools_changed()
    assert client.inbox.empty


def test_a_client_gets_only_the_changes_that_it_asked_for(server: McpServer) -> None:
    client = Talk(server)
    wishes = {"notifications": {"promptsListChanged": True}}
    client.send(request("subscriptions/listen", wishes))
    assert client.inbox.get()["params"]["notifications"] == {}
    server.tools_changed()
    assert client.inbox.empty
    client.peer.cancel_all()


def test_the_end_of_the_server_ends_lists_of_changes_with_a_result(server: McpServer) -> None:
    client = Talk(server)
    client.send(request("subscriptions/listen", {"notifications": {}}, id=5))
    client.inbox.get()
    client.peer.close()
    result = client.inbox.get()["result"]
    assert result["resultType"] == "complete"
    assert result["_meta"]["io.modelcontextprotocol/subscriptionId"] == 5
    assert not client.peer.busy


def test_lists_of_changes_are_bounded() -> None:
    server = McpServer(registry_of(), limits=ServerLimits(subscriptions=3))
    client = Talk(server)
    wishes = {"notifications": {"toolsListChanged": True}}
    for id in range(1000):
        client.send(request("subscriptions/listen", wishes, id))
    answers = [client.inbox.get() for _ in range(1000)]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None] * 3 + [
        -32603
    ] * 997
    client.send(cancelled(0))
    client.send(request("subscriptions/listen", wishes, 1000))
    assert "method" in client.inbox.get()


def test_a_tool_that_cannot_be_listed_does_not_end_the_server() -> None:
    class Broken(FunctionTool):
        listed = False

        @property
        def definition(self) -> ToolDefinition:
            if self.listed:
                raise OSError("no definition")
            return self._definition

        @definition.setter
        def definition(self, value: ToolDefinition) -> None:
            self._definition = value

    registry = registry_of(FunctionTool("quick"))
    broken = Broken("broken")
    registry.register(broken)
    broken.listed = True
    client = Talk(McpServer(registry))
    error = client.ask(request("tools/list", id=4))
    assert (error["id"], error["error"]["code"]) == (4, -32603)
    assert client.ask(call("quick"))["result"]["isError"] is False


def test_an_id_that_is_in_use_is_refused() -> None:
    gate = Gate()
    client = Talk(McpServer(registry_of(gate, FunctionTool("quick"))))
    client.send(call("gate", id=1))
    assert gate.entered.acquire(timeout=10)
    assert client.ask(call("quick", id=1))["error"]["code"] == -32600
    assert client.ask(call("quick", id=2))["result"]["isError"] is False
    gate.open()
    assert client.inbox.response()["id"] == 1
    assert client.ask(call("quick", id=1))["result"]["isError"] is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
METHODS = st.sampled_from(
    ["initialize", "ping", "tools/list", "tools/call", "server/discover", "logging/setLevel"]
) | st.text(max_size=10)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "_meta": st.just(meta()) | JSON,
        "name": st.just("echo") | JSON,
        "arguments": st.just({"input": "x"}) | JSON,
        "cursor": JSON,
        "level": JSON,
        "notifications": JSON,
        "protocolVersion": st.sampled_from(LEGACY_VERSIONS) | JSON,
    },
)
MESSAGES = (
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0") | JSON, "method": METHODS | JSON},
        optional={"id": st.integers() | st.text() | JSON, "params": PARAMS | JSON},
    )
    | JSON
)


@given(st.lists(MESSAGES.map(lambda value: json.dumps(value).encode()) | st.binary(), max_size=5))
def test_no_message_is_more_than_a_client_can_be_told(messages: list[bytes]) -> None:
    server = McpServer(registry_of(FunctionTool("echo", parameters={"type": "object"})))
    client = Talk(server)
    for message in messages:
        client.send(message)
    for running in list(client.peer.calls):
        running.wait(10)
    answers: list[Json] = []
    while not client.inbox.empty:
        answers.append(client.inbox.get())
    for answer in answers:
        assert answer["jsonrpc"] == "2.0"
        assert ("result" in answer) + ("error" in answer) + ("method" in answer) == 1
        if "error" in answer:
            assert answer["error"]["code"] in {-32700, -32600, -32601, -32602, -32603, -32022}
    assert isinstance(client.inbox, Inbox)
