"""Calls that run: cancellation, progress, log messages, bounds, and many of them."""

from __future__ import annotations

import gc
import itertools
import logging
import math
import os
import sys
import threading
import tracemalloc

import pytest

from purewasm_plugins import ResourceLimits, WasmPlugin, example
from purewasm_plugins.mcp import McpServer, ServerLimits, calls, register_plugins
from purewasm_plugins.plugin.output import LOGGER
from purewasm_plugins.tools import Cancellation
from tests.conftest import ROOT
from tests.mcp.clients import (
    FunctionTool,
    Gate,
    Talk,
    call,
    cancelled,
    legacy,
    plugins,
    registry_of,
    wait_until,
)

LOOP = {"input": "x"}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress comes as often as a test can wait for."""
    monkeypatch.setattr(calls, "PROGRESS_PERIOD", 0.01)


def test_a_cancelled_call_ends_and_is_not_answered() -> None:
    server = McpServer(plugins("loop_forever", "echo"))
    client = Talk(server)
    client.send(call("loop", LOOP, id="long", token="t"))
    assert client.inbox.get()["method"] == "notifications/progress"
    client.send(cancelled("long"))
    # Where it did not end, the limit of time would end it 30 seconds later.
    for running in list(client.peer.calls):
        running.wait(10)
    assert not client.peer.calls
    assert not client.peer.busy
    assert client.inbox.dropped == ["long"]
    assert client.ask(call("echo", {"input": "x"}, id=2))["id"] == 2


def test_a_call_that_waits_for_its_plugin_can_be_cancelled() -> None:
    client = Talk(McpServer(plugins("loop_forever")))
    client.send(call("loop", LOOP, id=1, token=1))
    client.inbox.get()
    client.send(call("loop", LOOP, id=2))
    client.send(cancelled(2))
    wait_until(lambda: len(client.peer.calls) == 1)
    client.send(cancelled(1))
    wait_until(lambda: not client.peer.calls)


def test_a_tool_that_cannot_be_cancelled_keeps_its_place() -> None:
    opened = threading.Event()
    entered = threading.Event()

    def stubborn(cancellation: Cancellation) -> str:
        entered.set()
        assert opened.wait(20)
        return "late"

    server = McpServer(
        registry_of(FunctionTool("stubborn", stubborn)), limits=ServerLimits(calls=1)
    )
    client = Talk(server)
    client.send(call("stubborn", id=1))
    assert entered.wait(20)
    client.send(cancelled(1))
    assert client.ask(call("stubborn", id=2))["error"]["code"] == -32603
    opened.set()
    wait_until(lambda: not client.peer.calls)
    assert client.inbox.empty, "the late result is not sent"
    assert client.ask(call("stubborn", id=3))["id"] == 3


def test_progress_is_the_fuel_that_was_used_and_grows() -> None:
    client = Talk(McpServer(plugins("loop_forever")))
    client.send(call("loop", LOOP, token="t"))
    messages = [client.inbox.get() for _ in range(5)]
    client.send(cancelled(1))
    assert {message["method"] for message in messages} == {"notifications/progress"}
    assert {message["params"]["progressToken"] for message in messages} == {"t"}
    told = [message["params"]["progress"] for message in messages]
    assert told[0] > 0
    assert all(before < after for before, after in itertools.pairwise(told))


def test_progress_that_is_no_number_or_no_progress_is_not_told() -> None:
    values = iter([math.nan, -1.0, 0.0, math.inf, 2.0, 1.0, 2.0])

    def measured(cancellation: Cancellation) -> str:
        over = threading.Event()

        def measure() -> float:
            value = next(values, None)
            if value is None:
                over.set()
            return value or 0.0

        cancellation.on_measure(measure)
        assert over.wait(20)
        return "done"

    client = Talk(McpServer(registry_of(FunctionTool("measured", measured))))
    client.send(call("measured", token=0))
    assert client.inbox.get()["params"] == {"progressToken": 0, "progress": 2.0}
    assert "result" in client.inbox.get()


def test_without_a_token_there_is_no_progress() -> None:
    limits = ResourceLimits(timeout=0.1)
    registry, _ = register_plugins([WasmPlugin.load(example("loop_forever"), limits=limits)])
    client = Talk(McpServer(registry))
    client.send(call("loop", LOOP))
    assert "result" in client.inbox.get()


def logging_tool(cancellation: Cancellation) -> str:
    logger = logging.getLogger(LOGGER)
    extra = {"plugin": "talker"}
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logger.log(level, "at %d", level, extra=extra)
    return "done"


def test_log_messages_go_to_calls_that_want_them() -> None:
    server = McpServer(registry_of(FunctionTool("talk", logging_tool)))
    client = Talk(server)
    before = logging.getLogger(LOGGER).level
    with server.logs():
        for level, expected in [("info", 2), ("warning", 1), ("error", 0), (None, 0)]:
            client.send(call("talk", level=level))
            for _ in range(expected):
                message = client.inbox.get()
                assert message["method"] == "notifications/message"
                assert message["params"]["logger"] == "talker"
            assert "result" in client.inbox.get()
    assert message["params"] == {"level": "warning", "logger": "talker", "data": "at 30"}
    assert logging.getLogger(LOGGER).level == before


def test_an_earlier_client_sets_its_level_once() -> None:
    server = McpServer(registry_of(FunctionTool("talk", logging_tool)))
    client = Talk(server, "2025-06-18")
    with server.logs():
        client.send(legacy("tools/call", {"name": "talk"}))
        assert "result" in client.inbox.get()
        assert client.ask(legacy("logging/setLevel", {"level": "warning"}))["result"] == {}
        client.send(legacy("tools/call", {"name": "talk"}))
        assert client.inbox.get()["params"]["level"] == "warning"
        assert "result" in client.inbox.get()


def test_what_a_plugin_writes_is_a_log_message() -> None:
    plugin = WasmPlugin.load(
        ROOT / "fixtures" / "plugins" / "wasi_starter" / "shout_c.wasm", wasi=True
    )
    registry, _ = register_plugins([plugin])
    server = McpServer(registry)
    client = Talk(server)
    with server.logs():
        client.send(call("shout", {"input": "hello"}, level="info"))
        assert client.inbox.get()["params"]["data"] == "wasi_shout_c: shouting 5 bytes"
        assert client.inbox.get()["result"]["isError"] is False


def test_log_messages_of_a_call_are_bounded() -> None:
    def chatter(cancellation: Cancellation) -> str:
        for number in range(5000):
            logging.getLogger(LOGGER).warning("%d", number)
        return "done"

    server = McpServer(registry_of(FunctionTool("chatter", chatter)))
    client = Talk(server)
    with server.logs():
        client.send(call("chatter", level="debug"))
        count = 0
        while "method" in client.inbox.get():
            count += 1
    assert count == 200


def test_calls_of_two_clients_do_not_mix_their_messages() -> None:
    gate = Gate()
    server = McpServer(registry_of(gate, FunctionTool("talk", logging_tool)))
    one, other = Talk(server), Talk(server)
    with server.logs():
        one.send(call("gate", level="debug"))
        assert gate.entered.acquire(timeout=20)
        other.send(call("talk", level="info"))
        assert "method" in other.inbox.get()
        other.inbox.response()
        gate.open()
        assert "result" in one.inbox.get()


def test_calls_are_bounded_and_a_place_is_free_before_the_response() -> None:
    gate = Gate()
    registry = registry_of(gate, FunctionTool("quick"))
    client = Talk(McpServer(registry, limits=ServerLimits(calls=2)))
    client.send(call("gate", id=0))
    for id in range(1, 50):
        assert client.ask(call("quick", id=id))["result"]["isError"] is False
    client.send(call("gate", id=50))
    error = client.ask(call("quick", id=51))["error"]
    assert (error["code"], "2 calls run" in error["message"]) == (-32603, True)
    gate.open()
    assert {client.inbox.get()["id"], client.inbox.get()["id"]} == {0, 50}


def test_a_tool_that_ends_its_thread_is_answered() -> None:
    def leave(cancellation: Cancellation) -> str:
        sys.exit(3)

    client = Talk(McpServer(registry_of(FunctionTool("leave", leave))))
    assert client.ask(call("leave"))["error"]["code"] == -32603
    assert not client.peer.busy


def test_where_there_can_be_no_thread_the_server_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    client = Talk(McpServer(registry_of(FunctionTool("quick")), limits=ServerLimits(calls=1)))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert client.ask(call("quick"))["error"]["code"] == -32603
    assert client.ask(call("quick"))["result"]["isError"] is False


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1", None])
def test_limits_are_checked(value: object) -> None:
    with pytest.raises(ValueError, match="the limit calls must be a number above zero"):
        ServerLimits(calls=value)  # type: ignore[arg-type]


#: Calls of the soak; `PUREWASM_SOAK=10000` makes it the long one.
SOAK = int(os.environ.get("PUREWASM_SOAK", "400"))


def test_many_calls_leave_nothing_behind() -> None:
    """Of 200 calls, 4 trap and 1 is cancelled."""
    client = Talk(McpServer(plugins("echo", "trap_division", "loop_forever")))

    def work(count: int) -> None:
        for id in range(count):
            if id % 200 == 199:
                client.send(call("loop", LOOP, id, token=id))
                client.inbox.get()
                client.send(cancelled(id))
                wait_until(lambda: not client.peer.calls)
                while not client.inbox.empty:
                    client.inbox.get()
            elif id % 50 == 48:
                assert client.ask(call("divide", {"input": ""}, id))["result"]["isError"]
            else:
                text = f"text {id}"
                result = client.ask(call("echo", {"input": text}, id))["result"]
                assert result["content"][0]["text"] == text

    work(200)
    wait_until(lambda: not client.peer.calls)
    client.inbox.dropped.clear()
    gc.collect()
    threads = threading.active_count()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work(SOAK)
        client.inbox.dropped.clear()
        wait_until(lambda: threading.active_count() <= threads)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 400_000
