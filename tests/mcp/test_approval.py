"""Approval of calls by the person at the client, in both eras."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult, TextContent

from purewasm_plugins import Decision, ToolDefinition, ToolRegistry
from purewasm_plugins.mcp import McpServer, ServerLimits, approval
from purewasm_plugins.mcp.versions import CLIENT_CAPABILITIES
from purewasm_plugins.tools.approval import Approve
from tests.mcp.clients import (
    PATIENCE,
    Browser,
    FunctionTool,
    Gate,
    Json,
    Talk,
    call,
    cancelled,
    initialize,
    legacy,
    served,
)

ANY = {"type": "object"}
ELICITS: Json = {CLIENT_CAPABILITIES: {"elicitation": {}}}
CALL: Json = {"name": "delete", "arguments": {"path": "a\nb"}}


def guarded(tool: FunctionTool) -> FunctionTool:
    name = tool.definition.name
    tool.definition = ToolDefinition(name, "A tool", ANY, requires_approval=True)
    return tool


def server_of(
    *tools: FunctionTool, approve: Approve | None = None, limits: ServerLimits | None = None
) -> McpServer:
    registry = ToolRegistry(approve=approve)
    registry.register_all(map(guarded, tools or (FunctionTool("delete"),)))
    return McpServer(registry, limits=limits)


def began(server: McpServer, version: str = "2025-11-25", elicitation: Any = None) -> Talk:
    """Return a client that began with `initialize`, and has elicitation."""
    client = Talk(server)
    message = initialize(version)
    message["params"]["capabilities"]["elicitation"] = {} if elicitation is None else elicitation
    client.ask(message)
    return client


def reply(question: Json, decision: Any, action: str = "accept") -> Json:
    result = {"action": action, "content": {"decision": decision}}
    return {"jsonrpc": "2.0", "id": question["id"], "result": result}


def decided(client: Talk, *answers: Any) -> list[bool]:
    """Call the tool for each answer; None where no question comes. Return which calls ran."""
    ran = []
    for number, answer in enumerate(answers):
        client.send(legacy("tools/call", CALL, number))
        if answer is not None:
            client.send(reply(client.inbox.get(), answer))
        ran.append(not client.inbox.response()["result"]["isError"])
    return ran


@pytest.mark.parametrize(
    ("answers", "ran"),
    [
        (("once", "refuse", "once"), [True, False, True]),
        (("session", None, None), [True, True, True]),
        (("never", None), [False, False]),
        (("", 1, ["once"], "ONCE", "session"), [False, False, False, False, True]),
    ],
)
def test_decisions_in_a_session(answers: tuple[Any, ...], ran: list[bool]) -> None:
    server = server_of()
    assert decided(began(server), *answers) == ran
    assert decided(began(server), "refuse") == [False], "another session is asked for itself"


def test_the_question() -> None:
    tool = FunctionTool("delete")
    tool.origin, tool.grants = "plugin 'x'", ["writes files"] * 30  # type: ignore[attr-defined]
    client = began(server_of(tool))
    client.send(legacy("tools/call", CALL))
    question = client.inbox.get()
    assert question["method"] == "elicitation/create"
    message = question["params"]["message"]
    assert message.splitlines()[:4] == [
        "Run the tool 'delete' of plugin 'x'?",
        'Arguments: {"path": "a\\nb"}',
        "What it may touch:",
        "- writes files",
    ]
    assert message.endswith("\n- 10 more")
    schema = question["params"]["requestedSchema"]
    assert schema["properties"]["decision"]["enum"] == ["once", "session", "refuse", "never"]
    assert schema["required"] == ["decision"]


@pytest.mark.parametrize(
    "response",
    [
        {"result": {"action": "decline"}},
        {"result": {"action": "cancel", "content": {"decision": "once"}}},
        {"result": {"action": "accept"}},
        {"result": {"action": "accept", "content": "once"}},
        {"result": None},
        {"result": []},
        {"error": {"code": -1, "message": "no"}},
    ],
)
def test_what_is_no_answer_refuses(response: Json) -> None:
    client = began(server_of())
    client.send(legacy("tools/call", CALL))
    client.send({"jsonrpc": "2.0", "id": client.inbox.get()["id"], **response})
    assert client.inbox.response()["result"]["isError"]


def test_responses_to_nothing_are_dropped() -> None:
    client = began(server_of())
    client.send(legacy("tools/call", CALL))
    question = client.inbox.get()
    for id in ("other", 1, None, ["x"]):
        client.send(reply({"id": id}, "session"))
    client.send(reply(question, "once"))
    client.send(reply(question, "session"))
    assert not client.inbox.response()["result"]["isError"]
    assert decided(client, "refuse") == [False]


@pytest.mark.parametrize(
    ("version", "elicitation"),
    [("2025-03-26", {}), ("2024-11-05", {}), ("2025-11-25", {"url": {}}), ("2025-06-18", [])],
)
def test_sessions_that_cannot_be_asked(version: str, elicitation: Any) -> None:
    client = began(server_of(), version, elicitation)
    result = client.ask(legacy("tools/call", CALL))["result"]
    assert result["isError"]
    assert "cannot ask a person" in result["content"][0]["text"]


def test_a_call_that_waits_for_an_answer_can_be_cancelled() -> None:
    client = began(server_of())
    client.send(legacy("tools/call", CALL, "long"))
    question = client.inbox.get()
    (running,) = client.peer.calls
    client.send(cancelled("long"))
    running.wait(PATIENCE)
    assert not client.peer.calls
    assert client.inbox.dropped == ["long"]
    assert client.inbox.get() == cancelled(question["id"])
    assert client.inbox.empty


def test_an_answer_that_does_not_come() -> None:
    client = began(server_of(limits=ServerLimits(approval=0.05)))
    client.send(legacy("tools/call", CALL))
    question = client.inbox.get()
    assert client.inbox.get()["params"] == {"requestId": question["id"]}
    assert "not answered" in client.inbox.response()["result"]["content"][0]["text"]


def test_of_two_calls_one_is_asked_about() -> None:
    gate = Gate("delete")
    client = began(server_of(gate))
    client.send(legacy("tools/call", CALL, 1))
    client.send(legacy("tools/call", CALL, 2))
    client.send(reply(client.inbox.get(), "session"))
    for _ in range(2):
        assert gate.entered.acquire(timeout=PATIENCE)
    assert client.inbox.empty
    gate.open()
    assert {client.inbox.response()["id"] for _ in range(2)} == {1, 2}


def again(
    state: Any, decision: Any = "once", arguments: Json = CALL["arguments"], **more: Any
) -> Json:
    """Return a modern call that has an answer with it."""
    message = call("delete", arguments, **ELICITS)
    answer = {"action": "accept", "content": {"decision": decision}}
    message["params"] |= {"requestState": state, "inputResponses": {"approval": answer}} | more
    return message


def asked(client: Talk, message: Json | None = None) -> str:
    """Call the tool, and return the state of the question."""
    result = client.ask(message or call("delete", CALL["arguments"], **ELICITS))["result"]
    assert result["resultType"] == "input_required"
    question = result["inputRequests"]["approval"]
    assert question["method"] == "elicitation/create"
    offered = question["params"]["requestedSchema"]["properties"]["decision"]["enum"]
    assert offered == ["once", "refuse"]
    state: str = result["requestState"]
    return state


def test_a_stateless_client_calls_again() -> None:
    server = server_of()
    client = Talk(server)
    answered = Talk(server).ask(again(asked(client)))["result"]
    assert (answered["resultType"], answered["isError"]) == ("complete", False)
    for decision in ("refuse", "session", "never", None):
        assert client.ask(again(asked(client), decision))["result"]["isError"]
    assert asked(client), "nothing was decided for later calls"


def test_a_state_holds_once_and_for_one_call() -> None:
    tool, server = FunctionTool("delete"), server_of()
    client = Talk(server)
    used = asked(client)
    client.ask(again(used))
    wrong = [used, "x", "", again(asked(client), arguments={"path": "other"})]
    replaced = asked(client)
    server.registry.exchange(["delete"], [guarded(tool)])
    for message in (*wrong, replaced):
        error = client.ask(again(message) if isinstance(message, str) else message)["error"]
        assert error["code"] == -32602
        assert "requestState" in error["message"]


@pytest.mark.parametrize(
    "params", [{"requestState": 1}, {"inputResponses": []}, {"inputResponses": None}]
)
def test_wrong_parameters(params: Json) -> None:
    client = Talk(server_of())
    assert client.ask(again(asked(client), **params))["error"]["code"] == -32602


def test_what_is_missing_is_asked_for_again() -> None:
    client = Talk(server_of())
    other: Json = {"inputResponses": {"other": {}}}
    state = asked(client, again(asked(client), **other))
    assert asked(client, again(None)) != state, "an answer to no question is none"
    assert not client.ask(again(state))["result"]["isError"]


def test_states_are_bounded_and_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "_MOST_OPEN", 2)
    client = Talk(server_of())
    first, second, third = (asked(client) for _ in range(3))
    assert "error" in client.ask(again(first))
    assert "result" in client.ask(again(third))
    assert "result" in client.ask(again(second))
    client = Talk(server_of(limits=ServerLimits(approval=1e-9)))
    assert "error" in client.ask(again(asked(client)))


def test_a_stateless_client_without_elicitation() -> None:
    with served(server_of()) as web:
        answer = Browser(web.url).modern(call("delete"))
        error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, -32021)
    assert error["data"] == {"requiredCapabilities": {"elicitation": {"form": {}}}}


@pytest.mark.parametrize(
    ("decision", "error"), [(Decision.SESSION, False), (Decision.REFUSE, True)]
)
def test_where_the_registry_decides_no_client_is_asked(decision: Decision, error: bool) -> None:
    server = server_of(approve=lambda request: decision)
    assert Talk(server).ask(call("delete"))["result"]["isError"] is error
    client = began(server)
    assert client.ask(legacy("tools/call", CALL))["result"]["isError"] is error


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client(mode: str) -> None:
    messages: list[str] = []

    async def answer(context: Any, params: ElicitRequestParams) -> ElicitResult:
        messages.append(params.message)
        decision = "once" if len(messages) == 1 else "refuse"
        return ElicitResult(action="accept", content={"decision": decision})

    async def steps() -> list[Any]:
        with served(server_of()) as web:
            async with (
                asyncio.timeout(3 * PATIENCE),
                Client(web.url, mode=mode, elicitation_callback=answer) as client,
            ):
                return [await client.call_tool("delete", {"path": "a"}) for _ in range(2)]

    first, second = asyncio.run(steps())
    assert (first.is_error, second.is_error) == (False, True)
    assert isinstance(first.content[0], TextContent)
    assert len(messages) == 2
    assert "Run the tool 'delete'?" in messages[0]
