"""Configuration: what a plugin reads of it, and what is refused as one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    InvalidOptionError,
    PluginOptions,
    Wasi,
    WasmPlugin,
    WasmPluginManager,
    example,
    host_function,
)
from purewasm_plugins.capabilities.config import MAX_BYTES, MAX_ENTRIES
from purewasm_plugins.plugin.conformance import Status, check
from purewasm_plugins.plugin.granted import granted_wasi
from tests.capabilities.conftest import caller_of

Caller = Callable[..., WasmPlugin]

CONFIG = {"unit": "°C", "empty": "", "long": "x" * 100_000}


@pytest.mark.parametrize("name", [*CONFIG, "missing", "", "UNIT", "k" * 10_000])
def test_a_plugin_reads_values(caller: Caller, name: str) -> None:
    plugin = caller("config_get", config=CONFIG)
    for _ in range(2):
        assert plugin.execute_tool(0, name) == CONFIG.get(name, "(none)")


def test_without_a_configuration_no_name_has_a_value(caller: Caller) -> None:
    assert caller("config_get").execute_tool(0, "unit") == "(none)"


def test_a_function_of_the_program_comes_first(caller: Caller) -> None:
    def config_get(name: str) -> str:
        return f"its {name}"

    imports = {"purewasm": {"config_get": host_function(config_get)}}
    plugin = caller("config_get", config=CONFIG, imports=imports)
    assert plugin.execute_tool(0, "unit") == "its unit"


def test_it_is_part_of_the_environment() -> None:
    options = PluginOptions(config={"A": "1", "B": "2"}, wasi=Wasi(env={"B": "own", "C": "3"}))
    wasi = granted_wasi(options)
    assert isinstance(wasi, Wasi)
    assert wasi.env == {"A": "1", "B": "own", "C": "3"}
    assert granted_wasi(PluginOptions(config={"A": "1"})) is None
    true = granted_wasi(PluginOptions(config={"A": "1"}, wasi=True))
    assert isinstance(true, Wasi)
    assert (true.env, true.clock) == ({"A": "1"}, "host")
    plugin = WasmPlugin.load(example("shout_c"), config={"A": "1"}, wasi=True)
    assert plugin.execute_tool(0, "x") == "X"


def test_it_goes_where_the_plugin_goes(engine: str) -> None:
    options = PluginOptions(engine=engine, config=CONFIG)
    plugin = WasmPluginManager(options).load_from_bytes(caller_of("config_get"))
    again = pickle.loads(pickle.dumps(plugin))
    assert again.execute_tool(0, "unit") == "°C"
    other = PluginOptions.merged(options, config={"unit": "K"})
    assert other.config == {"unit": "K"}
    assert PluginOptions.merged(options).config == CONFIG


def test_the_checker_gives_it() -> None:
    found = {item.name: item for item in check(caller_of("config_get"))}
    assert found["imports"].status is Status.PASS


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (["a"], "must be a mapping of texts"),
        ({1: "a"}, "1 is no name"),
        ({"": "a"}, "'' is no name"),
        ({"a=b": "a"}, "'a=b' is no name"),
        ({"a\0": "a"}, "is no name"),
        ({"a": 1}, "the value of 'a' is no text"),
        ({"a": "secret\0"}, "the value of 'a' is no text"),
        ({"a": "\ud800"}, "the value of 'a' is no text"),
        ({str(n): "" for n in range(MAX_ENTRIES + 1)}, "more than 1000 entries"),
        ({"a": "x" * MAX_BYTES}, "more than 1048576 bytes"),
    ],
)
def test_what_is_refused(config: Any, words: str) -> None:
    with pytest.raises(InvalidOptionError, match=words) as caught:
        PluginOptions(config=config)
    assert "secret" not in str(caught.value)
