"""Approval of calls: who is asked, what is remembered, and what a refused call is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from purewasm_plugins import (
    ApprovalRequest,
    Cancellation,
    Decision,
    HostDirectory,
    Http,
    InvalidArgumentsError,
    KeyValueStore,
    MemoryDirectory,
    PluginOptions,
    ToolCall,
    ToolDefinition,
    ToolRefusedError,
    ToolRegistry,
    ToolResult,
    Wasi,
    WasmPlugin,
    example,
)
from purewasm_plugins.plugin.grants import granted_words
from purewasm_plugins.plugin.tools import RegisteredTool
from purewasm_plugins.tools.approval import Approve, Approver
from purewasm_plugins.tools.formats import FORMATS

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}

ONCE, SESSION, REFUSE, NEVER = Decision


class Tool:
    """A tool that counts its calls."""

    origin = "a test"
    grants = ("reads minds",)

    def __init__(self, name: str = "tool", *, requires_approval: bool = True) -> None:
        self.definition = ToolDefinition(name, "A tool", SCHEMA, requires_approval)
        self.ran = 0

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        self.ran += 1
        return ToolResult(self.definition.name, success=True, output="done")


class Person:
    """What decides: it gives its answers one by one, the last again and again."""

    def __init__(self, *answers: object) -> None:
        self.answers = answers
        self.asked: list[ApprovalRequest] = []

    def __call__(self, request: ApprovalRequest) -> Any:
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def later(self, request: ApprovalRequest) -> Any:
        await asyncio.sleep(0)
        return self(request)


def registry_of(tool: Tool, approve: Approve | None) -> ToolRegistry:
    registry = ToolRegistry(approve=approve)
    registry.register(tool)
    return registry


Execute = Callable[[ToolRegistry, ToolCall], ToolResult]


def in_loop(registry: ToolRegistry, call: ToolCall) -> ToolResult:
    return asyncio.run(registry.execute_async(call))


@pytest.fixture(params=["sync", "async", "async in Pyodide"])
def execute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Execute:
    if request.param == "sync":
        return lambda registry, call: registry.execute(call)
    if request.param == "async":
        return in_loop

    def run(registry: ToolRegistry, call: ToolCall) -> ToolResult:
        async def main() -> ToolResult:
            with monkeypatch.context() as patch:
                patch.setattr("sys.platform", "emscripten")
                return await registry.execute_async(call)

        return asyncio.run(main())

    return run


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("answers", "ran", "asked"),
    [
        ((ONCE,), 3, 3),
        ((SESSION,), 3, 1),
        ((REFUSE,), 0, 3),
        ((NEVER,), 0, 1),
        ((REFUSE, SESSION), 2, 2),
        ((ONCE, NEVER), 1, 2),
        ((ValueError("x"), ONCE), 2, 3),
        ((True,), 0, 3),
        ((None, "once", SESSION), 1, 3),
    ],
)
def test_decisions(
    execute: Execute, asynchronous: bool, answers: tuple[Any, ...], ran: int, asked: int
) -> None:
    person, tool = Person(*answers), Tool()
    registry = registry_of(tool, person.later if asynchronous else person)
    results = [execute(registry, ToolCall("tool", {"a": number})) for number in range(3)]
    assert (tool.ran, len(person.asked)) == (ran, asked)
    assert sum(result.success for result in results) == ran
    for result in results:
        assert isinstance(result.exception, ToolRefusedError) is not result.success
        assert result.error is None or ("tool" in result.error and "refused" in result.error)


def test_what_is_seen(execute: Execute) -> None:
    person, tool = Person(ONCE), Tool()
    call = ToolCall("tool", {"a": 1}, "id")
    execute(registry_of(tool, person), call)
    (request,) = person.asked
    assert request.call is call
    assert request.definition is tool.definition
    assert request.tool is tool
    assert (request.origin, request.grants) == ("a test", ("reads minds",))


def test_without_a_callback_what_needs_approval_is_refused(execute: Execute) -> None:
    tool, free = Tool(), Tool("free", requires_approval=False)
    registry = registry_of(tool, None)
    registry.register(free)
    result = execute(registry, ToolCall("tool"))
    assert (result.success, tool.ran, result.duration_ms) == (False, 0, None)
    assert "nothing here to ask" in str(result.error)
    assert execute(registry, ToolCall("free")).success


def test_a_tool_that_needs_none_is_not_asked_about(execute: Execute) -> None:
    person, free = Person(NEVER), Tool(requires_approval=False)
    assert execute(registry_of(free, person), ToolCall("tool")).success
    assert not person.asked


def test_wrong_arguments_are_not_asked_about(execute: Execute) -> None:
    person = Person(SESSION)
    with pytest.raises(InvalidArgumentsError):
        execute(registry_of(Tool(), person), ToolCall("tool", {"a": "x"}))
    assert not person.asked


def test_the_cause_of_a_failure_is_kept_and_not_told() -> None:
    person = Person(ValueError("a secret"))
    result = registry_of(Tool(), person).execute(ToolCall("tool"))
    assert isinstance(result.exception, ToolRefusedError)
    assert isinstance(result.exception.__cause__, ValueError)
    assert "ValueError" in str(result.error)
    assert "secret" not in str(result.error)


def test_another_tool_of_the_name_is_asked_about_again(execute: Execute) -> None:
    person, new = Person(SESSION, REFUSE), Tool()
    registry = registry_of(Tool(), person)
    assert execute(registry, ToolCall("tool")).success
    registry.exchange(["tool"], [new])
    assert not execute(registry, ToolCall("tool")).success
    assert (len(person.asked), new.ran) == (2, 0)


@pytest.mark.parametrize(("decision", "asked"), [(SESSION, 1), (NEVER, 1), (ONCE, 8), (REFUSE, 8)])
def test_calls_that_race(decision: Decision, asked: int) -> None:
    """One is asked about at a time; what holds for the session, the others take."""
    tool = Tool()
    at_once: list[int] = []
    person = Person(decision)
    entered = threading.Barrier(8)

    def approve(request: ApprovalRequest) -> Decision:
        at_once.append(1)
        assert len(at_once) == 1
        threading.Event().wait(0.01)
        at_once.pop()
        return person(request)  # type: ignore[no-any-return]

    registry = registry_of(tool, approve)

    def call() -> None:
        entered.wait()
        results.append(registry.execute(ToolCall("tool")))

    results: list[ToolResult] = []
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    allowed = decision in (ONCE, SESSION)
    assert len(person.asked) == asked
    assert [result.success for result in results] == [allowed] * 8


@pytest.mark.parametrize("decision", [SESSION, NEVER])
def test_tasks_that_race(decision: Decision) -> None:
    person = Person(decision)
    registry = registry_of(Tool(), person.later)

    async def main() -> list[ToolResult]:
        return await asyncio.gather(*(registry.execute_async(ToolCall("tool")) for _ in range(5)))

    assert [result.success for result in asyncio.run(main())] == [decision is SESSION] * 5
    assert len(person.asked) == 1


def test_a_task_that_is_cancelled_leaves_the_question_to_the_next() -> None:
    tool = Tool()
    asked: list[int] = []

    async def approve(request: ApprovalRequest) -> Decision:
        asked.append(1)
        if len(asked) == 1:
            await asyncio.sleep(60)
        return SESSION

    registry = registry_of(tool, approve)

    async def main() -> ToolResult:
        first = asyncio.create_task(registry.execute_async(ToolCall("tool")))
        while not asked:
            await asyncio.sleep(0)
        waits = [asyncio.create_task(registry.execute_async(ToolCall("tool"))) for _ in range(2)]
        await asyncio.sleep(0.02)
        # One that waits must not take the question from the others with it.
        waits[0].cancel()
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.wait_for(waits[1], 20)

    assert asyncio.run(main()).success
    assert (len(asked), tool.ran) == (2, 1)


def test_a_call_that_waits_for_a_decision_can_be_cancelled() -> None:
    entered, opened = threading.Event(), threading.Event()

    def approve(request: ApprovalRequest) -> Decision:
        entered.set()
        assert opened.wait(20)
        return SESSION

    registry = registry_of(Tool(), approve)
    thread = threading.Thread(target=registry.execute, args=(ToolCall("tool"),))
    thread.start()
    assert entered.wait(20)
    cancellation = Cancellation()
    cancellation.request()
    result = registry.execute(ToolCall("tool"), cancellation=cancellation)
    opened.set()
    thread.join()
    assert "cancelled" in str(result.error)


def test_a_coroutine_function_cannot_be_awaited_within_a_loop() -> None:
    person = Person(SESSION)
    registry = registry_of(Tool(), person.later)

    async def main() -> ToolResult:
        return registry.execute(ToolCall("tool"))

    assert isinstance(asyncio.run(main()).exception, ToolRefusedError)
    assert not person.asked


def test_an_interrupt_goes_through_and_the_next_call_is_asked_about() -> None:
    answers = iter([KeyboardInterrupt])

    def approve(request: ApprovalRequest) -> Decision:
        for answer in answers:
            raise answer
        return ONCE

    registry = registry_of(Tool(), approve)
    with pytest.raises(KeyboardInterrupt):
        registry.execute(ToolCall("tool"))
    assert registry.execute(ToolCall("tool")).success


def test_the_callback_of_the_registry_comes_first() -> None:
    other = Approver(Person(ONCE))
    call = ToolCall("tool")
    assert not registry_of(Tool(), Person(REFUSE)).execute(call, approver=other).success
    assert registry_of(Tool(), None).execute(call, approver=other).success


@pytest.mark.parametrize("name", FORMATS)
def test_a_model_is_told(name: str) -> None:
    form = FORMATS[name](registry_of(Tool(), Person(NEVER)))
    (message,) = form.messages([(call := form.call("tool", {}), form.run(call))])
    assert "needs approval" in str(message)


def test_a_call_that_was_cancelled_meanwhile_does_not_run() -> None:
    cancellation, tool = Cancellation(), Tool()

    def approve(request: ApprovalRequest) -> Decision:
        cancellation.request()
        return ONCE

    result = registry_of(tool, approve).execute(ToolCall("tool", {}), cancellation=cancellation)
    assert isinstance(result.exception, ToolRefusedError)
    assert "cancelled while it waited" in str(result.error)
    assert tool.ran == 0


def test_grants_of_plugins_are_in_words_without_values() -> None:
    options = PluginOptions(
        wasi=Wasi(
            env={"TOKEN": "a secret"},
            directories={"/data": HostDirectory("."), "/tmp": MemoryDirectory(read_only=False)},
            stdin=b"in",
            clock="host",
            random="host",
        ),
        imports={"env": {"log": print}},
        http=Http(hosts=("*.example.org", "localhost:1")),
        kv=KeyValueStore(),
        config={"KEY": "a secret"},
    )
    assert granted_words(options) == (
        "reads files below ., as /data",
        "writes files in memory, as /tmp",
        "reads the variable TOKEN",
        "reads the standard input",
        "reads the clock",
        "gets random numbers",
        "sends HTTP requests to *.example.org",
        "sends HTTP requests to localhost:1",
        "keeps texts in memory",
        "reads the value KEY of its configuration",
        "calls env.log of the host",
    )
    assert granted_words(PluginOptions()) == granted_words(PluginOptions(wasi=False)) == ()
    assert granted_words(PluginOptions(wasi=True)) == ("reads the clock", "gets random numbers")


def test_a_plugin_is_seen() -> None:
    plugin = WasmPlugin.load(example("echo"), wasi=True)
    tool = RegisteredTool(plugin, plugin.tools[0], "echo")
    tool.definition = ToolDefinition("echo", "", tool.tool.parameters, requires_approval=True)
    person = Person(ONCE)
    registry = ToolRegistry(approve=person)
    registry.register(tool)
    assert registry.execute(ToolCall("echo", {"input": "x"})).output == "x"
    (request,) = person.asked
    assert (request.origin, request.grants) == ("plugin 'echo'", tool.grants)
    assert isinstance(request.tool, RegisteredTool)
    assert request.tool.plugin is plugin
