"""The log of calls: what a record has, and what it must not have."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from purewasm_plugins import (
    Cancellation,
    Decision,
    ToolCall,
    ToolDefinition,
    ToolError,
    ToolRegistry,
    ToolResult,
    WasmPlugin,
    example,
)
from purewasm_plugins.mcp import McpServer, register_plugins
from purewasm_plugins.plugin.tools import RegisteredTool
from purewasm_plugins.tools.call_log import LOGGER
from tests.mcp.clients import PATIENCE, Talk, call, initialize, legacy

SECRET = "correct horse"


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


class Tool:
    """A tool that fails with its argument."""

    def __init__(self, name: str = "tool", *, requires_approval: bool = False) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        self.definition = ToolDefinition(name, "", schema, requires_approval)

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        raise ValueError(f"wrong: {arguments}")


def fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Return the fields of the one record, which must not have the secret."""
    (record,) = [one for one in caplog.records if one.name == LOGGER]
    caplog.clear()
    known = vars(logging.LogRecord("", 0, "", 0, "", (), None))
    found = {name: value for name, value in vars(record).items() if name not in known}
    assert SECRET not in repr(vars(record)) + record.getMessage()
    assert record.levelno == logging.INFO
    return found


def attempt(registry: ToolRegistry, call: ToolCall, asynchronous: bool) -> None:
    try:
        if asynchronous:
            asyncio.run(registry.execute_async(call))
        else:
            registry.execute(call)
    except ToolError:
        pass


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("call", "outcome", "error_type"),
    [
        (ToolCall("echo", {"input": SECRET}), "success", None),
        (ToolCall("tool", {"a": SECRET}), "failed", "ValueError"),
        (ToolCall("divide", {"input": SECRET}), "failed", "ToolExecutionError"),
        (ToolCall("guarded", {"a": SECRET}), "refused", "ToolRefusedError"),
        (ToolCall("echo", {"input": 1, "other": SECRET}), "invalid", "InvalidArgumentsError"),
        (ToolCall("echo", {}, problem=SECRET), "invalid", "InvalidArgumentsError"),
        (ToolCall("other", {"a": SECRET}), "unknown", "ToolNotFoundError"),
    ],
)
def test_outcomes(
    logged: pytest.LogCaptureFixture,
    call: ToolCall,
    outcome: str,
    error_type: str | None,
    asynchronous: bool,
) -> None:
    plugins = [WasmPlugin.load(example(name)) for name in ("echo", "trap_division")]
    registry, _ = register_plugins(plugins, approve=lambda request: Decision.NEVER)
    registry.register_all([Tool(), Tool("guarded", requires_approval=True)])
    attempt(registry, replace(call, id="7", caller="me"), asynchronous)
    found = fields(logged)
    assert (found["outcome"], found["error_type"]) == (outcome, error_type)
    assert (found["tool"], found["call_id"], found["caller"]) == (call.name, "7", "me")
    assert found["argument_bytes"] == len(json.dumps(call.arguments, separators=(",", ":")))
    assert found["duration_ms"] > 0
    assert bool(found["fuel"]) is (outcome == "success" or call.name == "divide")


@pytest.mark.parametrize("engine", ["translator", "pywasm"])
def test_a_call_of_a_plugin(logged: pytest.LogCaptureFixture, engine: str) -> None:
    plugin = WasmPlugin.load(example("echo"), engine=engine)
    registry, _ = register_plugins([plugin])
    registry.execute(ToolCall("echo", {"input": SECRET}))
    found = fields(logged)
    assert found["plugin_sha256"] == hashlib.sha256(plugin.module.data).hexdigest()
    assert (found["plugin"], found["plugin_version"]) == ("echo", plugin.version)
    assert (found["origin"], found["caller"], found["call_id"]) == ("plugin 'echo'", None, None)
    assert found["output_bytes"] == len(SECRET)
    assert found["fuel"] > 0
    tool = registry.get("echo")
    assert isinstance(tool, RegisteredTool)
    assert tool.renamed("other").log_fields == tool.log_fields


def test_the_fuel_is_that_of_the_call(logged: pytest.LogCaptureFixture) -> None:
    registry, _ = register_plugins([WasmPlugin.load(example("echo"))])
    used = []
    for text in ("x" * 10, "x" * 10, "x" * 10_000):
        registry.execute(ToolCall("echo", {"input": text}))
        used.append(fields(logged)["fuel"])
    assert used[0] == used[1] <= used[2]


def test_what_others_choose_is_short_and_without_controls(
    logged: pytest.LogCaptureFixture,
) -> None:
    long = "a\n\x1b" * 1000
    attempt(ToolRegistry(), ToolCall(long, {}, id=long, caller=long), False)
    found = fields(logged)
    for name in ("tool", "call_id", "caller"):
        assert len(found[name]) < 1000
        assert "\n" not in found[name]
        assert "\x1b" not in found[name]


def test_arguments_that_are_no_json(logged: pytest.LogCaptureFixture) -> None:
    registry = ToolRegistry()
    registry.register(Tool())
    attempt(registry, ToolCall("tool", {"b": object()}), False)
    assert fields(logged)["argument_bytes"] is None


def test_a_cancelled_task(logged: pytest.LogCaptureFixture) -> None:
    entered = threading.Event()

    class Patient(Tool):
        def execute_cancellable(
            self, arguments: Mapping[str, Any], cancellation: Cancellation | None
        ) -> ToolResult:
            entered.set()
            ended = threading.Event()
            assert cancellation is not None
            cancellation.on_request(ended.set)
            assert ended.wait(PATIENCE)
            raise ValueError

    registry = ToolRegistry()
    registry.register(Patient())

    async def main() -> None:
        task = asyncio.create_task(registry.execute_async(ToolCall("tool")))
        await asyncio.to_thread(entered.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert fields(logged)["outcome"] == "cancelled"


def test_clients_of_mcp_are_named(logged: pytest.LogCaptureFixture) -> None:
    registry, _ = register_plugins([WasmPlugin.load(example("echo"))])
    client = Talk(McpServer(registry))
    client.ask(initialize())
    client.ask(legacy("tools/call", {"name": "echo", "arguments": {"input": SECRET}}, 5))
    assert (found := fields(logged))["caller"] == "test 1"
    assert found["call_id"] == "5"
    info: dict[str, Any] = {"io.modelcontextprotocol/clientInfo": {"name": "x" * 1000}}
    client.ask(call("echo", {"input": SECRET}, **info))
    assert fields(logged)["caller"] == "x" * 200
    client.ask(call("echo", {"input": SECRET}))
    assert fields(logged)["caller"] == "a client of MCP"


def test_nothing_is_logged_where_nothing_listens(logged: pytest.LogCaptureFixture) -> None:
    logged.set_level(logging.WARNING, LOGGER)
    attempt(ToolRegistry(), ToolCall("other"), False)
    assert not logged.records


def test_the_log_imports_no_logging() -> None:
    program = (
        "import sys\n"
        "from purewasm_plugins import ToolCall, ToolRegistry, WasmPlugin, example\n"
        "registry = ToolRegistry()\n"
        "WasmPlugin.load(example('echo')).register_into_registry(registry)\n"
        "assert registry.execute(ToolCall('echo', {'input': ''})).success\n"
        "assert 'logging' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
