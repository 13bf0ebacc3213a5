"""One deadline for all that a call or a loading consists of; cancelling; forked processes."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from purewasm_plugins import (
    Cancellation,
    Cancelled,
    DeadlineExceeded,
    PluginError,
    PluginOptions,
    ResourceLimits,
    ToolCall,
    ToolExecutionError,
    ToolRegistry,
    WasmPlugin,
    WasmPluginManager,
)

Load = Callable[..., WasmPlugin]
Wat = Callable[[str], bytes]
Text = Callable[..., str]

#: A host function that waits.
NAP = '(import "env" "nap" (func $nap))'

#: Seconds of one nap, and a timeout that one of them fits into, but not two.
SECONDS, TIMEOUT = 0.5, 0.9

#: Echoes, or loops for ever where the input is an exclamation mark, or traps at a question mark.
LOOPING = """
  (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $input)) (i32.const 63)) (then unreachable))
    (if (i32.eq (i32.load8_u (local.get $input)) (i32.const 33)) (then (loop $l br $l)))
    local.get $input)"""


def naps() -> tuple[list[float], dict[str, dict[str, Callable[[], None]]]]:
    """When each nap began, and the imports."""
    begun: list[float] = []

    def nap() -> None:
        begun.append(time.monotonic())
        time.sleep(SECONDS)

    return begun, {"env": {"nap": nap}}


def napping(export: str, params: str, result: str) -> str:
    return f'(func (export "{export}") {params} (result i32) call $nap {result})'


# What a call consists of.

_ALLOC = '(func (export "plugin_alloc") (param i32) (result i32) call $nap i32.const 2048)'
_FREE = '(func (export "plugin_free") (param i32))'
_EXECUTE = """
  (func (export "plugin_tool_execute") (param i32 i32) (result i32) call $nap local.get 1)"""


def test_a_call_has_one_deadline(load: Load, wat: Wat, plugin_text: Text) -> None:
    """Its allocation and its execution each take less; the input is not freed any more."""
    begun, imports = naps()
    text = plugin_text(imports=NAP, plugin_tool_execute=_EXECUTE, extra=_ALLOC + _FREE)
    plugin = load(wat(text), imports, timeout=TIMEOUT)
    with pytest.raises(ToolExecutionError, match="deadline exceeded") as raised:
        plugin.execute_tool(0, "x")
    assert isinstance(raised.value.__cause__, DeadlineExceeded)
    assert len(begun) == 2


def test_a_fresh_instance_is_a_part_of_the_call(load: Load, wat: Wat, plugin_text: Text) -> None:
    """Started in one nap, and allocated from in another."""
    begun, imports = naps()
    extra = "(start $nap)" + _ALLOC + _FREE
    text = plugin_text(imports=NAP, plugin_tool_execute=LOOPING, extra=extra)
    plugin = load(wat(text), imports, timeout=TIMEOUT)
    assert plugin.execute_tool(0, "x") == "x"
    with pytest.raises(ToolExecutionError, match="unreachable"):
        plugin.execute_tool(0, "?")
    del begun[:]
    with pytest.raises(ToolExecutionError, match="deadline exceeded"):
        plugin.execute_tool(0, "x")
    assert len(begun) == 2


@pytest.mark.parametrize(
    "parts",
    [
        {"extra": '(start $nap) (func (export "_initialize") call $nap)'},
        {"extra": f"(start $nap) {napping('plugin_abi_version', '', 'i32.const 1')}"},
        {"plugin_tool_name": napping("plugin_tool_name", "(param i32)", "i32.const 128")},
    ],
    ids=["start and _initialize", "start and a getter", "getters"],
)
def test_a_loading_has_one_deadline(
    load: Load, wat: Wat, plugin_text: Text, parts: dict[str, str]
) -> None:
    begun, imports = naps()
    count = '(func (export "plugin_tools_count") (result i32) i32.const 1000)'
    text = plugin_text(imports=NAP, plugin_tools_count=count, **parts)
    with pytest.raises(PluginError, match="deadline exceeded"):
        load(wat(text), imports, timeout=TIMEOUT)
    assert len(begun) == 2


def test_calls_of_the_instance_itself_have_a_deadline_each(
    load: Load, wat: Wat, plugin_text: Text
) -> None:
    begun, imports = naps()
    more = '(func (export "more") call $nap (loop $l (br_if $l (i32.const 0))))'
    plugin = load(wat(plugin_text(imports=NAP, extra=more)), imports, timeout=TIMEOUT)
    for _ in range(3):
        plugin.instance.exports.function("more")()
        assert plugin.execute_tool(0, "x") == "x"
    assert len(begun) == 3


# The timeout of one call.


def test_a_call_may_have_less_time_than_the_limit(load: Load) -> None:
    plugin = load("loop_forever", timeout=60, fuel=None)
    manager = WasmPluginManager()
    manager._add(plugin)
    executions: tuple[Callable[[], str], ...] = (
        lambda: plugin.execute_tool(0, "", timeout=0.05),
        lambda: manager.execute_tool("loop_forever", 0, "", timeout=0.05),
    )
    for execute in executions:
        started = time.monotonic()
        with pytest.raises(ToolExecutionError, match="deadline exceeded"):
            execute()
        assert time.monotonic() - started < 10


def test_a_call_may_not_have_more_time_than_the_limit(load: Load) -> None:
    plugin = load("loop_forever", timeout=0.05, fuel=None)
    started = time.monotonic()
    with pytest.raises(ToolExecutionError, match="deadline exceeded"):
        plugin.execute_tool(0, "", timeout=60)
    assert time.monotonic() - started < 10
    unlimited = load("loop_forever", timeout=None, fuel=None)
    with pytest.raises(ToolExecutionError, match="deadline exceeded"):
        unlimited.execute_tool(0, "", timeout=0.05)


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "1", True])
def test_what_is_no_timeout(load: Load, timeout: Any) -> None:
    plugin = load("stateful")
    with pytest.raises((ValueError, TypeError), match="timeout"):
        plugin.execute_tool(0, "", timeout=timeout)
    assert plugin.execute_tool(0, "") == "1", "the plugin has run"


def test_limits_of_a_plugin_cannot_be_replaced(load: Load) -> None:
    plugin = load("stateful", fuel=1000)
    with pytest.raises(PluginError, match="load it again"):
        plugin.limits = ResourceLimits(fuel=5)
    assert plugin.limits.fuel == 1000
    assert plugin.execute_tool(0, "") == "1"


# Waiting for another call.


@contextmanager
def occupied(plugin: WasmPlugin) -> Iterator[None]:
    """While another thread runs an endless call."""
    ending = Cancellation()

    def call() -> None:
        with pytest.raises(ToolExecutionError):
            plugin.execute_tool(0, "!", cancellation=ending)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while plugin._active is None:
        time.sleep(0.001)
    try:
        yield
    finally:
        ending.request()
        thread.join()


@pytest.fixture
def looping(load: Load, wat: Wat, plugin_text: Text) -> WasmPlugin:
    return load(wat(plugin_text(plugin_tool_execute=LOOPING)), timeout=60, fuel=None)


def test_waiting_counts(looping: WasmPlugin) -> None:
    with occupied(looping):
        started = time.monotonic()
        with pytest.raises(ToolExecutionError, match="another call of the plugin ran") as raised:
            looping.execute_tool(0, "x", timeout=0.1)
        assert 0.1 <= time.monotonic() - started < 10
    assert raised.value.tool == "tool"
    assert isinstance(raised.value.__cause__, DeadlineExceeded)
    assert looping.execute_tool(0, "x") == "x"


def test_a_call_that_waits_can_be_cancelled(looping: WasmPlugin) -> None:
    cancellation = Cancellation()
    with occupied(looping):
        threading.Timer(0.1, cancellation.request).start()
        with pytest.raises(ToolExecutionError, match="cancelled while another call") as raised:
            looping.execute_tool(0, "x", cancellation=cancellation)
    assert isinstance(raised.value.__cause__, Cancelled)


def test_a_call_that_runs_can_be_cancelled(looping: WasmPlugin) -> None:
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.request).start()
    with pytest.raises(ToolExecutionError, match="cancelled in plugin_tool_execute"):
        looping.execute_tool(0, "!", cancellation=cancellation)
    assert looping.execute_tool(0, "x") == "x"


def test_a_call_that_was_cancelled_before_it_began(looping: WasmPlugin) -> None:
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(ToolExecutionError, match="cancelled"):
        looping.execute_tool(0, "!", cancellation=cancellation)


def test_a_cancellation_after_the_call_ends_no_other(looping: WasmPlugin) -> None:
    cancellation = Cancellation()
    assert looping.execute_tool(0, "x", cancellation=cancellation) == "x"
    instance = looping.instance
    cancellation.request()
    assert looping.execute_tool(0, "x") == "x"
    assert looping.instance is instance


def test_the_start_of_a_fresh_instance_can_be_cancelled(
    load: Load, wat: Wat, plugin_text: Text
) -> None:
    loop = '(func $wait (import "env" "wait") (result i32)) '
    start = "(func $start (loop $l (br_if $l (call $wait)))) (start $start)"
    text = plugin_text(imports=loop, plugin_tool_execute=LOOPING, extra=start)
    again = [0]
    plugin = load(wat(text), {"env": {"wait": lambda: again[0]}}, timeout=60, fuel=None)
    with pytest.raises(ToolExecutionError, match="unreachable"):
        plugin.execute_tool(0, "?")
    again[0] = 1
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.request).start()
    with pytest.raises(ToolExecutionError, match="fresh instance could not be made: cancelled"):
        plugin.execute_tool(0, "x", cancellation=cancellation)
    again[0] = 0
    assert plugin.execute_tool(0, "x") == "x"


def test_cancelling_a_task_frees_the_plugin(looping: WasmPlugin) -> None:
    registry = ToolRegistry()
    looping.register_into_registry(registry)

    async def timed_out() -> float:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(
                registry.execute_async(ToolCall("tool", {"input": "!"})), timeout=0.1
            )
        started = time.monotonic()
        result = await registry.execute_async(ToolCall("tool", {"input": "x"}))
        assert (result.success, result.output) == (True, "x")
        return time.monotonic() - started

    assert asyncio.run(timed_out()) < 5, "the limit is 60 seconds"


def test_cancelling_tasks_that_wait(looping: WasmPlugin) -> None:
    """None of them runs, and none keeps its thread."""
    registry = ToolRegistry()
    looping.register_into_registry(registry)

    async def several() -> None:
        calls = [registry.execute_async(ToolCall("tool", {"input": "!"})) for _ in range(20)]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*calls), timeout=0.1)

    started = time.monotonic()
    # It ends when all threads have ended.
    asyncio.run(several())
    assert time.monotonic() - started < 10
    assert looping.execute_tool(0, "x") == "x"


# Forked processes.


def in_a_child(run: Callable[[], bool]) -> bool:
    """Whether something is true in a forked process; False where it takes too long there."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if run() else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return False


forks = pytest.mark.skipif(
    sys.platform == "emscripten" or not hasattr(os, "fork"),
    reason="processes are not forked here",
)


@forks
@pytest.mark.filterwarnings("ignore:This process")
def test_a_process_forked_while_a_call_runs(looping: WasmPlugin) -> None:
    with occupied(looping):
        assert in_a_child(lambda: looping.execute_tool(0, "x") == "x")
        assert in_a_child(lambda: looping.instance.exports.function("plugin_tools_count")() == 1)
    assert looping.execute_tool(0, "x") == "x"


@forks
@pytest.mark.filterwarnings("ignore:This process")
def test_a_plugin_starts_afresh_in_a_forked_process(load: Load) -> None:
    plugin = load("stateful")
    assert [plugin.execute_tool(0, "") for _ in range(2)] == ["1", "2"]
    assert in_a_child(lambda: [plugin.execute_tool(0, "") for _ in range(2)] == ["1", "2"])
    assert plugin.execute_tool(0, "") == "3"


@forks
@pytest.mark.filterwarnings("ignore:This process")
def test_a_host_function_that_forks(load: Load) -> None:
    """The call goes on in both processes, and so does the plugin after it."""
    children: list[int] = []
    plugin = load("imports_host", {"env": {"log": lambda _: children.append(os.fork())}})
    assert plugin.execute_tool(0, "x") == "logged"
    if children == [0]:
        silent = {"env": {"log": lambda _: None}}
        plugin.options = PluginOptions.merged(plugin.options, imports=silent)
        os._exit(0 if plugin.execute_tool(0, "x") == "logged" else 1)
    _, status = os.waitpid(children[0], 0)
    assert os.waitstatus_to_exitcode(status) == 0
