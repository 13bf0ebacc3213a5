"""Options of plugins, closing and pickling them, `Module`, and arguments as a mapping."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import pickle
import queue
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import (
    Cancelled,
    DecodeError,
    InvalidArgumentsError,
    InvalidOptionError,
    Module,
    OutOfFuel,
    PluginClosedError,
    PluginFileError,
    PluginOptions,
    ResourceLimits,
    ToolExecutionError,
    WasmPlugin,
    WasmPluginManager,
    instantiate,
)
from purewasm_plugins.plugin.conformance import check
from purewasm_plugins.wasm import FuncType, ValType

FixtureData = Callable[[str], bytes]
Load = Callable[..., WasmPlugin]

#: A field, a wrong value, and words of the error.
WRONG: list[tuple[str, object, str]] = [
    ("engine", "translater", "there is no engine 'translater'; did you mean 'translator'?"),
    ("engine", 3, "the name of an engine, an engine or None, and is a int"),
    ("limits", 1.5, "it must be ResourceLimits or None, and is a float"),
    ("limits", {"fuel": 1}, "and is a dict"),
    ("imports", [("env", {})], "{module: {name: value}} or None, and is a list"),
    ("imports", {1: {}}, "the name of a module is a string"),
    ("imports", {"env": print}, "what is given for module 'env' is {name: value}"),
    ("cache_dir", 3, "the path of a directory or None, and is a int"),
]


@pytest.mark.parametrize(("field", "value", "words"), WRONG)
def test_each_field_is_checked(
    fixture_data: FixtureData, field: str, value: Any, words: str
) -> None:
    data = fixture_data("echo")
    given = {field: value}
    makers: list[Callable[[], object]] = [
        lambda: PluginOptions(**given),
        lambda: WasmPlugin.load_from_bytes(data, **given),
        lambda: WasmPluginManager(**given),
    ]
    if field != "cache_dir":
        makers.append(lambda: list(check(data, **given)))
    for make in makers:
        with pytest.raises(InvalidOptionError) as raised:
            make()
        assert raised.value.option == field
        assert words in str(raised.value)


def test_options_that_are_none(fixture_data: FixtureData) -> None:
    wrong: Any = ResourceLimits()
    with pytest.raises(InvalidOptionError, match="PluginOptions or None, and is a ResourceLimits"):
        WasmPlugin.load_from_bytes(fixture_data("echo"), wrong)


def test_a_keyword_replaces_a_field(fixture_data: FixtureData, engine: str) -> None:
    options = PluginOptions(engine=engine, limits=ResourceLimits(fuel=1000))
    plugin = WasmPlugin.load_from_bytes(fixture_data("spin"), options)
    assert plugin.options is options
    with pytest.raises(ToolExecutionError, match="out of fuel") as raised:
        plugin.execute_tool(0, "100000")
    assert isinstance(raised.value.__cause__, OutOfFuel)
    richer = WasmPlugin.load_from_bytes(fixture_data("spin"), options, limits=ResourceLimits())
    assert richer.options.engine == engine
    assert richer.execute_tool(0, "100000")


def test_options_of_one_plugin_of_a_manager(fixture_data: FixtureData, engine: str) -> None:
    manager = WasmPluginManager(PluginOptions(engine=engine))
    limits = ResourceLimits(fuel=123_456)
    manager.load_from_bytes(fixture_data("echo"))
    manager.load_from_bytes(fixture_data("hello"), PluginOptions(engine=engine, limits=limits))
    assert [plugin.limits for plugin in manager] == [ResourceLimits(), limits]


def test_a_closed_plugin(load: Load) -> None:
    with load("echo") as plugin:
        instance = weakref.ref(plugin.instance)
        assert plugin.execute_tool("echo", "x") == "x"
    plugin.close()
    gc.collect()
    assert instance() is None
    uses: list[Callable[[], object]] = [
        lambda: plugin.execute_tool("echo", "x"),
        lambda: plugin.instance,
        lambda: pickle.dumps(plugin),
    ]
    for use in uses:
        with pytest.raises(PluginClosedError, match="Plugin 'echo' is closed"):
            use()
    assert plugin.registrable_tools()[0].execute({"input": "x"}).success is False


def test_close_ends_the_calls_of_other_threads(load: Load) -> None:
    plugin = load("loop_forever", timeout=60)
    errors: list[Exception] = []

    def call() -> None:
        try:
            plugin.execute_tool(0, "")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    while plugin._operation is None:
        pass
    plugin.close()
    for thread in threads:
        thread.join(30)
    assert [type(error) for error in errors] == [PluginClosedError, PluginClosedError]
    assert {type(error.__cause__) for error in errors} <= {Cancelled, type(None)}


def test_a_host_function_that_closes_its_plugin(load: Load) -> None:
    plugin: WasmPlugin
    plugin = load("imports_host", {"env": {"log": lambda _: plugin.close()}})
    with contextlib.suppress(PluginClosedError):
        assert plugin.execute_tool(0, "x") == "logged"
    with pytest.raises(PluginClosedError):
        plugin.execute_tool(0, "x")


def log(_: int) -> None:
    """Take a log of a plugin's: a function that can be pickled."""


def run(plugin: WasmPlugin) -> str:
    return plugin.execute_tool(0, "x")


def test_pickling(load: Load) -> None:
    plugin = load("imports_host", {"env": {"log": log}}, fuel=1_000_000)
    again = pickle.loads(pickle.dumps(plugin))
    assert (again.name, again.tools, again.options) == (plugin.name, plugin.tools, plugin.options)
    assert again.instance is not plugin.instance
    assert run(again) == "logged"
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(load("imports_host", {"env": {"log": lambda _: None}}))


def unpicklable() -> Callable[[int], None]:
    """Make a function of a function, which pickle cannot name."""
    return lambda _: None


@pytest.mark.parametrize(
    "options",
    [
        PluginOptions(imports={"env": {"log": lambda _: None}}),
        PluginOptions(imports={"env": {"log": unpicklable()}}),
        PluginOptions(imports={"env": {"log": queue.Queue().put}}),
    ],
)
def test_an_import_that_cannot_be_pickled(
    fixture_data: FixtureData, options: PluginOptions
) -> None:
    """The options and the plugin fail alike, and the plugin can be used afterwards."""
    plugin = WasmPlugin.load_from_bytes(fixture_data("imports_host"), options)
    for subject in (options, plugin):
        with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
            pickle.dumps(subject)
    assert run(plugin) == "logged"


def test_a_plugin_in_another_process(load: Load) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(run, [load("echo")]) == ["x"]


def test_arguments_as_a_mapping(load: Load) -> None:
    plugin = load("zig_text/text.wasm")
    assert plugin.execute_tool("levenshtein", {"a": "kitten", "b": "sitting"}) == "3"
    for arguments in ({"a": "kitten"}, {"a": 1, "b": "x"}):
        with pytest.raises(InvalidArgumentsError) as raised:
            plugin.execute_tool("levenshtein", arguments)
        assert raised.value.tool == "levenshtein"
    echo = load("echo")
    assert echo.execute_tool("echo", {"input": "x"}) == "x"
    with pytest.raises(InvalidArgumentsError):
        echo.execute_tool("echo", {"text": "x"})
    wrong: Any = 3
    with pytest.raises(TypeError, match="a string or a mapping"):
        echo.execute_tool("echo", wrong)


def test_a_misspelt_tool(load: Load) -> None:
    plugin = load("c_json/json.wasm")
    with pytest.raises(ToolExecutionError, match=r"did you mean json_pretty\?"):
        plugin.execute_tool("json_prety", "{}")
    with pytest.raises(ToolExecutionError, match="it has: json_"):
        plugin.execute_tool("xyz", "{}")


def test_a_module_is_compiled_once(tmp_path: Path, fixture_data: FixtureData, engine: str) -> None:
    path = tmp_path / "stateful.wasm"
    path.write_bytes(fixture_data("stateful"))
    for source in (path, str(path), path.read_bytes()):
        module = Module.compile(source)
        assert module.exports["plugin_name"] == FuncType((), (ValType.I32,))
        assert list(module.exports) == list(instantiate(module.valid).exports)
        assert module.imports == ()
        first, second = (module.instantiate(engine=engine) for _ in range(2))
        assert first.memories[0] is not second.memories[0]
        assert first.exports.function("plugin_tools_count")() == 1
        again = pickle.loads(pickle.dumps(module))
        assert again.exports == module.exports
    (needed,) = Module.compile(fixture_data("imports_host")).imports
    assert (needed.module, needed.name, str(needed.type)) == ("env", "log", "(i32) -> ()")


def test_a_module_in_a_cache(tmp_path: Path, fixture_data: FixtureData) -> None:
    for _ in range(2):
        module = Module.compile(fixture_data("stateful"), cache_dir=tmp_path / "cache")
        assert module.instantiate().exports.function("plugin_tools_count")() == 1
        assert list((tmp_path / "cache").iterdir())


def test_what_is_no_module(tmp_path: Path) -> None:
    with pytest.raises(DecodeError):
        Module.compile(b"no module")
    with pytest.raises(PluginFileError, match="Failed to read module"):
        Module.compile(tmp_path / "missing.wasm")
    wrong: Any = 3
    with pytest.raises(TypeError, match="the bytes of a module or its path, got int"):
        Module.compile(wrong)
