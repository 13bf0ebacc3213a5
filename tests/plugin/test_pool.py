"""A pool: order, bounds, deadlines, cancellation, replaced instances, loops in several threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from purewasm_plugins import (
    Cancellation,
    InvalidOptionError,
    PluginClosedError,
    PluginPool,
    PoolFullError,
    ToolCall,
    ToolExecutionError,
    ToolRegistry,
    WasmPlugin,
)

Load = Callable[..., WasmPlugin]
Text = Callable[..., str]
Wat = Callable[[str], bytes]

#: A tool that calls the host before it returns its input.
HOST = '(import "env" "host" (func $host))'
CALLING = """
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
    call $host local.get $input)"""


class Gate:
    """A host function that counts the calls that are in it, and holds them until `open`."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self) -> None:
        self.entered.release()
        assert self.opened.wait(20)

    def imports(self) -> dict[str, dict[str, Any]]:
        return {"env": {"host": lambda: self()}}

    async def wait(self, calls: int) -> None:
        """Wait until so many calls more are in the host function."""
        for _ in range(calls):
            assert await asyncio.to_thread(self.entered.acquire, timeout=20)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def gated(gate: Gate, wat: Wat, plugin_text: Text) -> WasmPlugin:
    """A plugin whose tool waits at the gate."""
    data = wat(plugin_text(imports=HOST, plugin_tool_execute=CALLING))
    return WasmPlugin.load_from_bytes(data, imports=gate.imports())


def run(main: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(main, 30)

    asyncio.run(bounded())


def test_answers(load: Load) -> None:
    async def main() -> None:
        async with PluginPool(load("echo"), 3) as pool:
            texts = [f"text {number}" for number in range(20)]
            assert await asyncio.gather(*(pool.execute("echo", text) for text in texts)) == texts
            assert await pool.execute(0, {"input": "x"}) == "x"
            assert pool.execute_tool("echo", "in this thread") == "in this thread"
            assert (pool.name, pool.size, [tool.name for tool in pool.tools]) == (
                "echo",
                3,
                ["echo"],
            )
            assert repr(pool) == "<PluginPool of 3: <WasmPlugin echo 1.0.0: 1 tools>>"
            with pytest.raises(ToolExecutionError, match="no such tool"):
                await pool.execute("ehco", "")
            with pytest.raises(ValueError, match="negative"):
                await pool.execute(0, "", timeout=-1)

    run(main())


def test_the_instances_share_the_module_and_no_state(load: Load) -> None:
    plugin = load("stateful")
    assert plugin.execute_tool("count", "") == "1"
    with PluginPool(plugin, 1) as pool:
        assert [pool.execute_tool("count", "") for _ in range(3)] == ["1", "2", "3"]
    assert plugin.execute_tool("count", "") == "2"


@pytest.mark.parametrize(
    ("size", "queue", "option"),
    [(0, 1, "size"), (-1, 1, "size"), (True, 1, "size"), (1.5, 1, "size"), (1, -1, "queue")],
)
def test_numbers_that_are_none(load: Load, size: Any, queue: Any, option: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        PluginPool(load("echo"), size, queue=queue)
    assert raised.value.option == option


def test_calls_run_beside_each_other_and_wait_in_their_order(gate: Gate, gated: WasmPlugin) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def call(text: str) -> None:
            ended.append(await pool.execute(0, text))

        async with PluginPool(gated, 2, queue=3) as pool:
            first = [asyncio.create_task(call(text)) for text in ("a", "b")]
            await gate.wait(2)
            waiting = [asyncio.create_task(call(text)) for text in ("c", "d", "e")]
            await asyncio.sleep(0)
            with pytest.raises(PoolFullError) as raised:
                await pool.execute(0, "f")
            assert (raised.value.tool, raised.value.waiting) == ("tool", 3)
            # What is cancelled while it waits leaves its place in the queue.
            waiting.pop(1).cancel()
            await asyncio.sleep(0)
            waiting.append(asyncio.create_task(call("g")))
            gate.opened.set()
            await asyncio.gather(*first, *waiting)
            assert sorted(ended) == [*"abceg"]

    run(main())


def test_one_instance_serves_in_the_order_of_the_calls(gate: Gate, gated: WasmPlugin) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def call(text: str) -> None:
            ended.append(await pool.execute(0, text))

        async with PluginPool(gated, 1) as pool:
            tasks = [asyncio.create_task(call(text)) for text in "abcdefgh"]
            await gate.wait(1)
            gate.opened.set()
            await asyncio.gather(*tasks)
        assert ended == [*"abcdefgh"]

    run(main())


def test_the_deadline_includes_waiting(gate: Gate, gated: WasmPlugin) -> None:
    async def main() -> None:
        async with PluginPool(gated, 1) as pool:
            running = asyncio.create_task(pool.execute(0, "x"))
            await gate.wait(1)
            match = "'tool': deadline exceeded while it waited for an instance of the pool"
            with pytest.raises(ToolExecutionError, match=match):
                await pool.execute(0, "y", timeout=0.02)
            with pytest.raises(ToolExecutionError, match=match):
                await asyncio.to_thread(pool.execute_tool, 0, "y", timeout=0.02)
            cancellation = Cancellation()
            call = asyncio.to_thread(pool.execute_tool, 0, "y", cancellation=cancellation)
            waiting = asyncio.create_task(call)
            await asyncio.sleep(0.01)
            cancellation.request()
            with pytest.raises(ToolExecutionError, match="cancelled"):
                await waiting
            gate.opened.set()
            assert await running == "x"
            assert await pool.execute(0, "z") == "z"

    run(main())


def test_a_cancelled_call_frees_its_instance(load: Load) -> None:
    async def main() -> None:
        async with PluginPool(load("spin", fuel=None, timeout=20), 1) as pool:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(pool.execute("spin", "100000000000"), 0.02)
                assert await pool.execute("spin", "10") == "done"

    run(main())


def test_a_call_that_is_cancelled_as_it_gets_an_instance(gate: Gate, gated: WasmPlugin) -> None:
    """It gives the instance back."""

    async def main() -> None:
        with PluginPool(gated, 1) as pool:
            running = threading.Thread(target=pool.execute_tool, args=(0, "x"))
            running.start()
            await gate.wait(1)
            waiting = asyncio.create_task(pool.execute(0, "y"))
            await asyncio.sleep(0)
            gate.opened.set()
            # The loop does not run meanwhile: it hears of instance and cancellation at once.
            running.join()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await pool.execute(0, "z", timeout=10) == "z"

    run(main())


def test_an_instance_that_trapped_is_replaced(load: Load) -> None:
    async def main() -> None:
        async with PluginPool(load("trap_then_state"), 1) as pool:
            for _ in range(3):
                assert await pool.execute("count", "") == "1"
                with pytest.raises(ToolExecutionError, match="unreachable"):
                    await pool.execute("crash", "")

    run(main())


def test_the_replacement_is_made_in_the_background(load: Load) -> None:
    """Not by the next call, and not before the failed one has ended."""

    async def main() -> None:
        made: list[str] = []
        async with PluginPool(load("trap_then_state"), 1) as pool:
            prepare = WasmPlugin.prepare

            def prepared(plugin: WasmPlugin) -> None:
                prepare(plugin)
                made.append(threading.current_thread().name)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(WasmPlugin, "prepare", prepared)
                with pytest.raises(ToolExecutionError):
                    await pool.execute("crash", "")
                # Also after a call in this thread.
                with pytest.raises(ToolExecutionError):
                    pool.execute_tool("crash", "")
                assert await pool.execute("count", "") == "1"
            assert len(made) == 2
            assert all(name.startswith("purewasm-pool") for name in made)

    run(main())


def test_a_replacement_that_cannot_be_made_is_tried_again(wat: Wat, plugin_text: Text) -> None:
    """Its start function is an import that refuses from the second instance on."""
    allowed = 2

    def start() -> None:
        nonlocal allowed
        allowed -= 1
        if allowed < 0:
            raise OSError("no more")

    trapping = """
      (func (export "plugin_tool_execute") (param i32) (param $input i32) (result i32)
        (if (i32.load8_u (local.get $input)) (then unreachable)) local.get $input)
      (start $start)"""
    text = plugin_text(imports='(import "env" "start" (func $start))', plugin_tool_execute=trapping)
    plugin = WasmPlugin.load_from_bytes(wat(text), imports={"env": {"start": start}})

    async def main() -> None:
        nonlocal allowed
        async with PluginPool(plugin, 1) as pool:
            with pytest.raises(ToolExecutionError, match="unreachable"):
                await pool.execute(0, "x")
            with pytest.raises(OSError, match="no more"):
                await pool.execute(0, "")
            allowed = 1
            assert await pool.execute(0, "") == ""

    run(main())


def test_closing_ends_all_calls(load: Load) -> None:
    async def main() -> None:
        pool = PluginPool(load("loop_forever", fuel=None, timeout=20), 1)
        tasks = [asyncio.create_task(pool.execute(0, "")) for _ in range(3)]
        # All have their place, and the first is in its thread, or will be.
        await asyncio.sleep(0.01)
        async with pool:
            pass
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [PluginClosedError] * 3
        with pytest.raises(PluginClosedError):
            await pool.execute(0, "")
        with pytest.raises(PluginClosedError):
            pool.execute_tool(0, "")
        pool.close()

    run(main())


def test_eight_loops_in_eight_threads(wat: Wat, plugin_text: Text) -> None:
    """All calls are in their instances at a time, while each loop goes on."""
    together = threading.Barrier(8, timeout=20)
    went_on = [threading.Event() for _ in range(8)]
    errors: list[BaseException] = []

    def host() -> None:
        together.wait()
        # No call ends before each loop has run while its call was in here.
        assert all(event.wait(20) for event in went_on)

    data = wat(plugin_text(imports=HOST, plugin_tool_execute=CALLING))
    plugin = WasmPlugin.load_from_bytes(data, imports={"env": {"host": host}})

    async def main(number: int) -> None:
        call = asyncio.create_task(pool.execute(0, str(number)))
        for _ in range(3):
            await asyncio.sleep(0)
        went_on[number].set()
        assert await call == str(number)

    def thread(number: int) -> None:
        try:
            run(main(number))
        except BaseException as error:
            errors.append(error)

    with PluginPool(plugin, 8) as pool:
        threads = [threading.Thread(target=thread, args=(number,)) for number in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
    assert not errors


def test_a_registry_runs_calls_of_a_pool_beside_each_other(gate: Gate, gated: WasmPlugin) -> None:
    async def main() -> None:
        registry = ToolRegistry()
        async with PluginPool(gated, 2) as pool:
            pool.register_into_registry(registry, prefix="my_")
            calls = [ToolCall("my_tool", {"input": text}) for text in "ab"]
            tasks = [asyncio.create_task(registry.execute_async(call)) for call in calls]
            await gate.wait(2)
            gate.opened.set()
            assert [result.output for result in await asyncio.gather(*tasks)] == ["a", "b"]
        assert (
            registry.execute(calls[0]).error == "Plugin 'built' is closed: load it again to use it"
        )

    run(main())
