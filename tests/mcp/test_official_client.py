"""The protocol's own client for Python, against the command and the server, in both eras."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import TextContent

from purewasm_plugins.mcp import McpServer
from tests.conftest import need
from tests.mcp.clients import PATIENCE, FunctionTool, Gate, plugins, registry_of, served

#: How the client begins: with `server/discover`, with `initialize`, or at once.
MODES = ("auto", "legacy", "2026-07-28")
TRANSPORTS = ("stdio", "http")


@asynccontextmanager
async def connected(transport: str, mode: str, **options: Any) -> AsyncIterator[Client]:
    """A client of the command, or of a server in this process, with the same tools."""
    if transport == "stdio":
        need("click", "rich")
        command = ["-m", "purewasm_plugins", "mcp", "echo", "trap_division", "loop_forever"]
        parameters = StdioServerParameters(command=sys.executable, args=command)
        async with Client(parameters, mode=mode, **options) as client:
            yield client
    else:
        server = McpServer(plugins("echo", "trap_division", "loop_forever"))
        with served(server) as web:
            async with Client(web.url, mode=mode, **options) as client:
                yield client


def run(steps: Callable[[], Awaitable[None]]) -> None:
    """Run the steps of a test, within a time."""

    async def within() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await steps()

    asyncio.run(within())


def text(result: Any) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session(transport: str, mode: str) -> None:
    async def steps() -> None:
        async with connected(transport, mode) as client:
            assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
            tools = (await client.list_tools()).tools
            assert [(tool.name, tool.title) for tool in tools] == [
                ("echo", "Echo"),
                ("divide", "Divide"),
                ("loop", "Loop"),
            ]
            result = await client.call_tool("echo", {"input": "hällo"})
            assert (text(result), result.is_error) == ("hällo", False)
            result = await client.call_tool("divide", {"input": ""})
            assert result.is_error
            assert "integer divide by zero" in text(result)
            result = await client.call_tool("echo", {"input": 1})
            assert result.is_error
            assert "must be of type 'string'" in text(result)
            with pytest.raises(MCPError, match="did you mean 'echo'"):
                await client.call_tool("ecko", {"input": ""})
            assert text(await client.call_tool("echo", {"input": "again"})) == "again"

    run(steps)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_progress_and_cancellation(transport: str, mode: str) -> None:
    async def steps() -> None:
        told: list[float] = []
        first = asyncio.Event()

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            told.append(progress)
            first.set()

        async with connected(transport, mode) as client:
            call = asyncio.create_task(
                client.call_tool("loop", {"input": ""}, progress_callback=tell)
            )
            await first.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert told[0] > 0
            # The plugin is free again: otherwise this would take 30 seconds.
            with pytest.raises(MCPError):
                await client.call_tool("loop", {"input": ""}, read_timeout_seconds=0.2)
            assert text(await client.call_tool("echo", {"input": "x"})) == "x"

    run(steps)


def test_changes_of_the_list() -> None:
    async def steps() -> None:
        registry = registry_of(FunctionTool("one"))
        server = McpServer(registry)
        with served(server) as web:
            async with Client(web.url) as client:
                assert len((await client.list_tools()).tools) == 1
                async with client.listen(tools_list_changed=True) as changes:
                    registry.register(FunctionTool("two"))
                    server.tools_changed()
                    async for _ in changes:
                        break
                    assert len((await client.list_tools()).tools) == 2

    run(steps)


def test_many_calls_at_once() -> None:
    async def steps() -> None:
        gates = [Gate(f"gate_{number}") for number in range(20)]
        with served(McpServer(registry_of(*gates))) as web:
            async with Client(web.url) as client:
                calls = [
                    asyncio.create_task(client.call_tool(gate.definition.name)) for gate in gates
                ]
                for gate in reversed(gates):
                    await asyncio.to_thread(gate.entered.acquire)
                    gate.open()
                assert {text(result) for result in await asyncio.gather(*calls)} == {"opened"}

    run(steps)
