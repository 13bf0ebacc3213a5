"""Calls out of the module, and memory that grows: recorded once, replayed after that."""

from __future__ import annotations

from typing import Any, cast

from purewasm_plugins import WasmPlugin, instantiate
from purewasm_plugins.debugger import (
    DebugEngine,
    DebugSession,
    StopReason,
)
from tests.conftest import assemble, fixture_bytes
from tests.debugger.programs import start


def plugin(name: str, **options: Any) -> WasmPlugin:
    return WasmPlugin.load_from_bytes(fixture_bytes(name), engine="pywasm", **options)


def test_the_host_is_asked_once_however_often_one_goes_over_it() -> None:
    asked = []

    def ask(question: int) -> int:
        asked.append(question)
        return question * 10 + len(asked)

    module = """(module (import "h" "ask" (func $ask (param i32) (result i32)))
      (func (export "f") (result i32)
        (i32.add (call $ask (i32.const 1)) (call $ask (i32.const 2)))))"""
    session = start(module, "f", imports={"h": {"ask": ask}})
    first = session.resume()
    assert first.results == (11 + 22,)
    for step in range(first.step, -1, -1):
        session.go_to(step)
    assert session.resume() == first
    assert asked == [1, 2]


def test_a_host_function_that_writes_into_the_plugin_is_replayed() -> None:
    def write(address: int) -> None:
        instance.exports.memory().write(address, b"written")
        instance.exports.global_("g").value += 1

    instance = instantiate(
        assemble(
            """(module (import "h" "write" (func $write (param i32)))
              (memory (export "memory") 1) (global (export "g") (mut i32) (i32.const 5))
              (func (export "f") (result i32)
                (call $write (i32.const 8))
                (i32.add (global.get 0) (i32.load8_u (i32.const 8)))))"""
        ),
        {"h": {"write": write}},
        engine=DebugEngine(),
    )
    session = DebugSession.for_function(instance, "f")
    assert session.resume().results == (6 + ord("w"),)
    session.go_to(0)
    assert session.view.read_memory(8, 7) == bytes(7)
    assert session.view.globals()[0].value.value == 5
    session.stops.watch_memory(0, 100)
    stop = session.resume()
    assert stop.reason is StopReason.WATCHPOINT
    assert stop.write is not None
    assert stop.write.new[8:15] == b"written"
    assert session.resume().results == (6 + ord("w"),)


def test_a_host_function_that_fails_is_a_stop() -> None:
    def fail() -> None:
        raise KeyError("lost")

    module = '(module (import "h" "fail" (func $fail)) (func (export "f") nop (call $fail)))'
    session = start(module, "f", imports={"h": {"fail": fail}})
    stop = session.resume()
    assert stop.reason is StopReason.HOST_CALL
    assert isinstance(stop.exception, KeyError)
    session.step_back()
    session.step()
    assert session.step().exception is stop.exception


def test_a_host_function_that_calls_back_is_one_step() -> None:
    def host(number: int) -> int:
        return cast("int", instance.exports.function("double")(number)) + 1

    instance = instantiate(
        assemble(
            """(module (import "h" "host" (func $host (param i32) (result i32)))
              (func (export "double") (param i32) (result i32)
                (i32.mul (local.get 0) (i32.const 2)))
              (func (export "f") (result i32) (call $host (i32.const 4))))"""
        ),
        {"h": {"host": host}},
        engine=DebugEngine(),
    )
    session = DebugSession.for_function(instance, "f")
    session.stops.add_breakpoint("double")
    session.step()
    session.step()
    assert session.step_number == 2
    assert session.resume().results == (9,)
    session.go_to(1)
    assert session.resume().results == (9,)


def test_growing_memory_is_taken_back() -> None:
    session = DebugSession(plugin("grows_memory"), 0, "x")
    sizes = {0: session.view.memory_size()}
    while session.step().reason is StopReason.STEP:
        sizes[session.step_number] = session.view.memory_size()
    for step in sorted(sizes, reverse=True):
        session.go_to(step)
        assert session.view.memory_size() == sizes[step]
