"""A manager and a registry, driven at random against a model of what they hold."""

from __future__ import annotations

import functools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from purewasm_plugins import (
    DuplicateToolError,
    InvalidArgumentsError,
    PluginError,
    ResourceLimits,
    ToolCall,
    ToolExecutionError,
    ToolNotFoundError,
    ToolRegistry,
    WasmPluginManager,
)
from tests.conftest import ROOT

WAT = ROOT / "fixtures" / "wat"


@functools.cache
def wasm(name: str) -> bytes:
    return (WAT / f"{name}.wasm").read_bytes()


#: Plugins that load, and their tools.
GOOD = {
    "echo": ["echo"],
    "limited_memory": ["echo"],
    "stateful": ["count"],
    "trap_then_state": ["count", "crash"],
    "hello": ["greet"],
}
BAD = ["no_exports", "empty_version", "trap_on_tool_name", "wrong_abi", "invalid", "huge_count"]

good = st.sampled_from(sorted(GOOD))
tool_names = st.sampled_from(["echo", "count", "crash", "greet", "p.echo", "p.count", "none"])
prefixes = st.sampled_from([None, "p."])


class Machine(RuleBasedStateMachine):
    """The model: which plugin object has which name, its counter, and which tool is whose."""

    engine = "pywasm"

    def __init__(self) -> None:
        super().__init__()
        self.manager = WasmPluginManager(engine=self.engine, limits=ResourceLimits(fuel=100_000))
        self.registry = ToolRegistry()
        self.counters: dict[object, int] = {}
        self.loaded: dict[str, object] = {}
        #: Registered name to plugin object, the plugin's name, the tool's own name.
        self.registered: dict[str, tuple[object, str, str]] = {}

    @rule(name=good)
    def load(self, name: str) -> None:
        if name in self.loaded:
            with pytest.raises(PluginError, match="already loaded"):
                self.manager.load_from_bytes(wasm(name))
        else:
            plugin = self.manager.load_from_bytes(wasm(name))
            assert [tool.name for tool in plugin.tools] == GOOD[name]
            self.loaded[name] = plugin
            self.counters[plugin] = 0

    @rule(name=st.sampled_from(BAD))
    def fail_to_load(self, name: str) -> None:
        with pytest.raises(PluginError):
            self.manager.load_from_bytes(wasm(name))

    @rule(name=good)
    def unload(self, name: str) -> None:
        assert self.manager.unload(name) is (self.loaded.pop(name, None) is not None)

    @rule(name=good, prefix=prefixes)
    def register(self, name: str, prefix: str | None) -> None:
        plugin = self.manager.get(name)
        if plugin is None:
            assert name not in self.loaded
            return
        names = {(prefix or "") + tool: (plugin, name, tool) for tool in GOOD[name]}
        if names.keys() & self.registered.keys():
            with pytest.raises(DuplicateToolError):
                plugin.register_into_registry(self.registry, prefix=prefix)
        else:
            plugin.register_into_registry(self.registry, prefix=prefix)
            self.registered |= names

    @rule()
    def register_all(self) -> None:
        registered, refused = [], []
        for name, plugin in self.loaded.items():
            if self.registered.keys() & set(GOOD[name]):
                refused.append(plugin)
            else:
                registered.append(plugin)
                self.registered |= {tool: (plugin, name, tool) for tool in GOOD[name]}
        report = self.manager.register_all(self.registry)
        assert list(report.registered) == registered
        assert [plugin for plugin, _ in report.failed] == refused
        assert all(isinstance(error, DuplicateToolError) for _, error in report.failed)

    @rule(name=tool_names)
    def unregister(self, name: str) -> None:
        assert self.registry.unregister(name) is (self.registered.pop(name, None) is not None)

    @rule(name=tool_names, text=st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
    def execute(self, name: str, text: str) -> None:
        if name not in self.registered:
            with pytest.raises(ToolNotFoundError):
                self.registry.execute(ToolCall(name, {"input": text}))
            return
        plugin, _, tool = self.registered[name]
        result = self.registry.execute(ToolCall(name, {"input": text}))
        assert result.tool_name == name
        expected = None if "\0" in text else self.answer(plugin, tool, text)
        assert result.success is (expected is not None)
        assert result.output == (expected or "")

    @rule(name=tool_names)
    def execute_with_wrong_arguments(self, name: str) -> None:
        error = InvalidArgumentsError if name in self.registered else ToolNotFoundError
        with pytest.raises(error):
            self.registry.execute(ToolCall(name, {"wrong": 1}))

    @rule(name=good, index=st.integers(-1, 2))
    def execute_through_the_manager(self, name: str, index: int) -> None:
        plugin = self.loaded.get(name)
        tools = GOOD[name]
        if plugin is None:
            with pytest.raises(PluginError, match="not loaded"):
                self.manager.execute_tool(name, index, "x")
        elif not 0 <= index < len(tools):
            with pytest.raises(ToolExecutionError):
                self.manager.execute_tool(name, index, "x")
        else:
            expected = self.answer(plugin, tools[index], "x")
            if expected is None:
                with pytest.raises(ToolExecutionError, match="unreachable"):
                    self.manager.execute_tool(name, index, "x")
            else:
                assert self.manager.execute_tool(name, index, "x") == expected

    def answer(self, plugin: object, tool: str, text: str) -> str | None:
        """What a tool answers, None for a trap; its state moves on."""
        if tool == "count":
            self.counters[plugin] += 1
            return str(self.counters[plugin])
        if tool == "crash":
            self.counters[plugin] = 0
            return None
        return "Hello, World!" if tool == "greet" else text

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert [plugin.name for plugin in self.manager] == list(self.loaded)
        assert list(self.manager) == list(self.loaded.values())
        assert len(self.manager) == len(self.loaded)
        for name in GOOD:
            assert (name in self.manager) is (name in self.loaded)
            assert self.manager.get(name) is self.loaded.get(name)
        assert list(self.registry) == list(self.registered)
        assert len(self.registry) == len(self.registered)
        definitions = self.registry.definitions()
        assert [definition.name for definition in definitions] == list(self.registered)


def test_manager_and_registry(engine: str) -> None:
    machine = type("Machine", (Machine,), {"engine": engine})
    run_state_machine_as_test(machine, settings=settings(stateful_step_count=40))
