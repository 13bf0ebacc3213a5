"""`map_tool`: order, bounds, errors, workers that lack the plugin, workers that die."""

from __future__ import annotations

import itertools
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import (
    InvalidArgumentsError,
    InvalidOptionError,
    MappedResult,
    ToolExecutionError,
    Trap,
    WasmPlugin,
    WorkerError,
    example,
    map_tool,
)
from purewasm_plugins.plugin import mapping, workers
from tests.plugin import deadly

Load = Callable[..., WasmPlugin]
Text = Callable[..., str]
Wat = Callable[[str], bytes]

#: Echoes its input, after a call of the host where that begins with an exclamation mark.
HOST = '(import "env" "host" (func $host))'
CALLING = """
  (func (export "plugin_tool_execute") (param i32) (param $input i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $input)) (i32.const 33)) (then call $host))
    local.get $input)"""


@pytest.fixture(scope="module")
def calling(wat: Wat, plugin_text: Text) -> Callable[[Callable[[], None]], WasmPlugin]:
    """`calling(host)`: a plugin whose tool calls a function on inputs such as "!"."""
    data = wat(plugin_text(imports=HOST, plugin_tool_execute=CALLING))

    def calling(host: Callable[[], None]) -> WasmPlugin:
        return WasmPlugin.load_from_bytes(data, imports={"env": {"host": host}})

    return calling


@pytest.fixture(scope="module")
def echo() -> WasmPlugin:
    return WasmPlugin.load(example("echo"))


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


class Counting(Executor):
    """An executor that counts its tasks, and those that carry the plugin, on another one."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.tasks = 0
        self.with_plugin = 0

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        self.tasks += 1
        self.with_plugin += any(isinstance(argument, bytes) for argument in arguments)
        return self._executor.submit(function, *arguments, **named)


TEXTS = [f"text {number}" for number in range(300)]


def test_results_in_order(echo: WasmPlugin, threads: Executor) -> None:
    results = [*map_tool(echo, "echo", TEXTS, executor=threads)]
    assert results == [MappedResult(index, text, text) for index, text in enumerate(TEXTS)]
    assert [*map_tool(echo, 0, [], executor=threads)] == []


@pytest.mark.parametrize("platform", ["emscripten", "wasi"])
def test_without_processes_batches_run_in_line(
    calling: Callable[..., WasmPlugin], platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    callers = []
    plugin = calling(lambda: callers.append(threading.get_ident()))
    results = [*map_tool(plugin, 0, ["!", *TEXTS, "!"], executor=3)]
    assert [result.output for result in results] == ["!", *TEXTS, "!"]
    assert callers == [threading.get_ident()] * 2


def test_results_as_they_are_done(calling: Callable[..., WasmPlugin], threads: Executor) -> None:
    """The first input waits for a result of another."""
    passed = threading.Event()
    plugin = calling(lambda: None if passed.wait(20) else deadly.die())
    results = map_tool(plugin, 0, ["!", *TEXTS], executor=threads, ordered=False)
    indices = []
    for result in results:
        indices.append(result.index)
        passed.set()
    assert sorted(indices) == [*range(301)]
    assert indices[0] != 0


def test_arguments(threads: Executor) -> None:
    plugin = WasmPlugin.load(example("zig_text"))
    inputs: list[dict[str, object]] = [
        {"a": "kitten", "b": "sitting"},
        {"a": 1},
        {"a": "x", "b": "x"},
    ]
    results = map_tool(plugin, "levenshtein", inputs, executor=threads, on_error="return")
    right, wrong, equal = results
    assert (right.output, equal.output) == ("3", "0")
    assert isinstance(wrong.error, InvalidArgumentsError)
    assert (wrong.index, wrong.input, wrong.output) == (1, {"a": 1}, "")


def test_errors_are_values(load: Load, threads: Executor) -> None:
    plugin = load("trap_then_state")
    results = [*map_tool(plugin, "crash", ["", "x"], executor=threads, on_error="return")]
    for result in results:
        assert isinstance(result.error, ToolExecutionError)
        assert isinstance(result.error.__cause__, Trap)


def test_the_first_error_ends_it(load: Load, threads: Executor) -> None:
    counting = Counting(threads)
    plugin, inputs = load("trap_then_state"), itertools.repeat("")
    with pytest.raises(ToolExecutionError, match="unreachable"):
        [*map_tool(plugin, "crash", inputs, executor=counting, in_flight=2)]
    # Two under way, and four for each of them that wait for the first.
    assert counting.tasks <= 2 + 4 * 2


def test_inputs_are_taken_as_they_are_needed(echo: WasmPlugin, threads: Executor) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield str(number)

    results = map_tool(echo, 0, endless(), executor=threads, in_flight=2)
    assert taken == 0
    for number, result in enumerate(itertools.islice(results, 5000)):
        assert result.output == str(number)
    # Batches have a thousand inputs at most.
    assert taken <= 5000 + 1000 * (2 + 4 * 2 + 1)
    results.close()


def test_a_slow_input_does_not_wait_for_a_batch(echo: WasmPlugin, threads: Executor) -> None:
    """Each is taken only after the result of the one before, though batches have grown."""
    seen = 0

    def slow() -> Iterator[str]:
        yield from TEXTS
        for number in range(3):
            assert number == 0 or seen == len(TEXTS) + number
            time.sleep(1.1 * mapping._BATCH_SECONDS)
            yield f"slow {number}"

    for _ in map_tool(echo, 0, slow(), executor=threads, in_flight=1):
        seen += 1
    assert seen == 303


def test_what_the_inputs_raise(echo: WasmPlugin, threads: Executor) -> None:
    def broken() -> Iterator[str]:
        yield "x"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        [*map_tool(echo, 0, broken(), executor=threads)]


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"executor": 0}, "executor"),
        ({"executor": "threads"}, "executor"),
        ({"executor": True}, "executor"),
        ({"in_flight": 0}, "in_flight"),
        ({"in_flight": 1.5}, "in_flight"),
        ({"on_error": "ignore"}, "on_error"),
    ],
)
def test_options_that_are_none(echo: WasmPlugin, options: dict[str, Any], option: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        map_tool(echo, 0, [], **options)
    assert raised.value.option == option


def test_a_tool_that_is_none(echo: WasmPlugin) -> None:
    with pytest.raises(ToolExecutionError, match="no such tool"):
        map_tool(echo, "ehco", [])


def test_functions_that_cannot_be_pickled(
    calling: Callable[..., WasmPlugin], threads: Executor
) -> None:
    """Threads can call them, processes cannot."""
    called: list[int] = []
    plugin = calling(lambda: called.append(1))
    assert [r.output for r in map_tool(plugin, 0, ["!"], executor=threads)] == ["!"]
    assert called == [1]
    with pytest.raises(InvalidOptionError, match="cannot be pickled"):
        [*map_tool(plugin, 0, ["!"], executor=1)]


def test_many_at_a_time(threads: Executor) -> None:
    """In one process, of plugins that cannot come again: more than workers keep."""
    imports = {"env": {"host": lambda: None}}
    plugin = WasmPlugin.load(example("echo"), imports=imports)
    texts = [str(number) for number in range(200)]
    running = [map_tool(plugin, 0, texts, executor=threads) for _ in range(12)]
    rows = list(zip(*running, strict=True))
    assert [{result.output for result in row} for row in rows] == [{text} for text in texts]


def test_nothing_is_kept_of_a_plugin(echo: WasmPlugin, threads: Executor) -> None:
    [*map_tool(echo, 0, TEXTS, executor=threads)]
    assert workers.PLUGINS._kept == workers.PLUGINS._held == {}
    payload = pickle.dumps((echo.module.data, echo.options))
    for number in range(20):
        workers.PLUGINS.find(str(number), payload)
    assert [*workers.PLUGINS._kept] == [str(number) for number in range(12, 20)]
    workers.PLUGINS._kept.clear()


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `die_once` makes."""
    path = tmp_path / "mark"
    monkeypatch.setenv(deadly.MARK, str(path))
    return path


def test_a_process_that_dies_loses_nothing(calling: Callable[..., WasmPlugin], mark: Path) -> None:
    """Of a pool of the caller's, with workers that lack the plugin at first."""
    texts = [*TEXTS, "!", *TEXTS]
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        counting = Counting(executor)
        results = map_tool(calling(deadly.die_once), 0, texts, executor=executor)
        assert [result.output for result in results] == texts
        assert mark.exists()
        with pytest.raises(Exception, match="terminated abruptly"):
            counting.submit(os.getpid)


def test_the_plugin_travels_to_workers_that_lack_it(echo: WasmPlugin) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        for expected in (1, 0):
            # A second run finds it there.
            counting = Counting(executor)
            results = map_tool(echo, 0, TEXTS, executor=counting, in_flight=3)
            assert [result.output for result in results] == TEXTS
            assert counting.with_plugin == expected


def test_an_input_that_workers_die_of(calling: Callable[..., WasmPlugin]) -> None:
    texts = [*"abc", "!", *"defg"]
    results = map_tool(calling(deadly.die), 0, texts, executor=1, on_error="return")
    for text, result in zip(texts, results, strict=True):
        if text == "!":
            assert isinstance(result.error, WorkerError)
            assert "BrokenProcessPool" in str(result.error)
        else:
            assert (result.output, result.error) == (text, None)


@pytest.mark.parametrize(
    ("host", "error", "message"),
    [
        (deadly.raise_plain, LookupError, "a plain error"),
        (deadly.raise_odd, ToolExecutionError, "Odd: an odd error"),
        (deadly.raise_odder, (ToolExecutionError, deadly.Odder), "an odder error"),
    ],
)
def test_what_a_host_function_raises(
    calling: Callable[..., WasmPlugin],
    threads: Executor,
    host: Callable[[], None],
    error: type[Exception] | tuple[type[Exception], ...],
    message: str,
) -> None:
    results = map_tool(calling(host), 0, "a!b", executor=threads, on_error="return")
    first, second, third = results
    assert (first.output, third.output) == ("a", "b")
    assert isinstance(second.error, error)
    assert message in str(second.error)


class Refusing(Executor):
    """An executor whose tasks fail where they have a certain input."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            if "!" in arguments[2]:
                raise OSError("refused")
            future.set_result(function(*arguments))
        except OSError as error:
            future.set_exception(error)
        return future


def test_an_executor_that_cannot_run_an_input(echo: WasmPlugin) -> None:
    """The others of its batch run without it."""
    texts = [*TEXTS, "!", *TEXTS]
    results = [*map_tool(echo, 0, texts, executor=Refusing(), on_error="return")]
    assert [result.output for result in results] == [*TEXTS, "", *TEXTS]
    error = results[300].error
    assert isinstance(error, WorkerError)
    assert isinstance(error.__cause__, OSError)
    assert "OSError: refused" in str(error)
