"""A program of a user: it type-checks under mypy and pyright, both strict, and it runs."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_type

from purewasm_plugins import (
    Aborted,
    ApprovalRequest,
    Caller,
    CommandResult,
    Decision,
    DiscoveryReport,
    Exited,
    Exports,
    FixedClock,
    Function,
    FuncType,
    Global,
    GlobalType,
    GrantError,
    HostDirectory,
    Http,
    Instance,
    InvalidArgumentsError,
    Limits,
    ManifestError,
    MappedResult,
    Memory,
    MemoryDirectory,
    MemoryType,
    Module,
    NotACommandError,
    PluginChange,
    PluginHashError,
    PluginOptions,
    PluginPool,
    PoolFullError,
    PureWasmError,
    Quotas,
    ResourceLimits,
    SymbolicLink,
    Table,
    TableType,
    TextError,
    ToolCall,
    ToolDefinition,
    ToolExecutionError,
    ToolFormatError,
    ToolPolicy,
    ToolRefusedError,
    ToolRegistry,
    ToolResult,
    ToolSettings,
    Trap,
    TrapReason,
    UnknownExportError,
    ValType,
    Wasi,
    WasmPlugin,
    WasmPluginManager,
    Watch,
    WorkerError,
    assemble,
    example,
    examples,
    host_function,
    instantiate,
    map_tool,
    run_command,
)
from purewasm_plugins.tools.formats import FORMATS, ToolFormat, result_text


def use_a_plugin() -> None:
    """Load a plugin, run its tools, and read its errors."""
    assert_type(examples(), tuple[str, ...])
    path = assert_type(example("echo"), Path)
    plugin = WasmPlugin.load(path, limits=ResourceLimits(timeout=2.0, memory_pages=256))
    assert_type(plugin.execute_tool("echo", "x"), str)
    assert plugin.execute_tool(0, "x") == "x"
    try:
        plugin.execute_tool("no such tool", "")
    except ToolExecutionError as error:
        assert_type(str(error), str)
    else:
        raise AssertionError("the plugin has no such tool")


def use_options() -> None:
    """Give one record of options to a plugin, a manager and one plugin of it."""
    options = PluginOptions(engine="translator", limits=ResourceLimits(timeout=2.0))
    with WasmPlugin.load(example("echo"), options) as plugin:
        assert_type(plugin, WasmPlugin)
        assert_type(plugin.options, PluginOptions)
        assert plugin.execute_tool("echo", "x") == "x"
    manager = WasmPluginManager(options)
    manager.load(
        example("echo"),
        PluginOptions(limits=ResourceLimits(fuel=1_000_000), config={}, http=Http(hosts=())),
    )
    registry = ToolRegistry()
    assert manager.register_all(registry, prefix="my_", replace=True).failed == ()
    result = registry.execute(ToolCall("my_echo", {"input": "x"}))
    assert_type(result.exception, BaseException | None)
    assert (result.success, result.output) == (True, "x")


def use_approval() -> None:
    """Decide on the calls of a tool."""

    class Shell:
        definition = ToolDefinition("shell", "Runs a command", {}, requires_approval=True)

        def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
            return ToolResult("shell", success=True, output="done")

    def approve(request: ApprovalRequest) -> Decision:
        assert_type(request.call, ToolCall)
        assert_type(request.definition, ToolDefinition)
        assert_type(request.grants, tuple[str, ...])
        return Decision.SESSION if request.call.arguments else Decision.REFUSE

    registry = ToolRegistry(approve=approve)
    registry.register(Shell())
    assert isinstance(registry.execute(ToolCall("shell")).exception, ToolRefusedError)
    assert registry.execute(ToolCall("shell", {"command": "ls"})).success


def use_a_pool() -> None:
    """Run calls beside each other, and one tool on many inputs."""

    async def main() -> list[str]:
        async with PluginPool(WasmPlugin.load(example("echo")), 2, queue=10) as pool:
            calls = (pool.execute("echo", text, timeout=1.0) for text in "abc")
            return await asyncio.gather(*calls)

    assert assert_type(asyncio.run(main()), list[str]) == [*"abc"]
    with ThreadPoolExecutor(1) as executor:
        for result in map_tool(WasmPlugin.load(example("echo")), 0, "abc", executor=executor):
            assert_type(result, MappedResult)
            assert_type(result.error, Exception | None)
            assert result.output == "abc"[result.index]
    assert issubclass(PoolFullError, ToolExecutionError)
    assert issubclass(WorkerError, ToolExecutionError)


def use_a_module() -> None:
    """Compile a module once, see what it has, and run it twice."""
    module = assert_type(Module.compile(example("echo")), Module)
    assert isinstance(module.exports["memory"], MemoryType)
    assert isinstance(module.exports["plugin_name"], FuncType)
    assert [(entry.module, entry.name) for entry in module.imports] == []
    for engine in ("translator", None):
        instance = module.instantiate(engine=engine, limits=ResourceLimits(fuel=1_000_000))
        assert_type(instance, Instance)
        assert instance.exports.function("plugin_tools_count")() == 1


def use_the_text_format() -> None:
    """Assemble a module from text, and read the place of an error."""
    text = (
        '(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))'
    )
    assert assert_type(assemble(text), bytes).startswith(b"\0asm")
    instance = assert_type(Module.from_text(text), Module).instantiate()
    assert instance.exports.function("add")(2, 3) == 5
    try:
        assemble("(module\n  (func i32.addd))")
    except TextError as error:
        assert_type(error.file, str | None)
        assert_type(error.excerpt, tuple[str, str])
        assert (error.line, error.column) == (2, 9)
    else:
        raise AssertionError("there is no such instruction")


def use_a_registry() -> None:
    """Register the tools of a plugin, and call one of them as an agent does."""
    manager = WasmPluginManager()
    assert_type(manager.load(example("zig_text")), WasmPlugin)
    registry = ToolRegistry()
    assert manager.register_all(registry).failed == ()
    definitions = [assert_type(definition, ToolDefinition) for definition in registry.definitions()]
    assert [definition.name for definition in definitions] == ["levenshtein", "sort_lines"]
    call = ToolCall("levenshtein", {"a": "kitten", "b": "sitting"})
    result = assert_type(registry.execute(call), ToolResult)
    assert (result.success, result.output) == (True, "3")
    try:
        registry.execute(ToolCall("levenshtein", {"a": 1}))
    except InvalidArgumentsError as error:
        assert isinstance(error, PureWasmError)
    else:
        raise AssertionError("the arguments do not fit the schema")


def find_plugins_that_change() -> None:
    """Find plugins in a folder, and look for changes of their files."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "echo.wasm")
        file.write_bytes(example("echo").read_bytes())
        manager, registry = WasmPluginManager(), ToolRegistry()
        report = assert_type(manager.discover(folder), DiscoveryReport)
        assert assert_type(report.loaded, tuple[WasmPlugin, ...])[0].name == "echo"
        with manager.watch(registry=registry, interval=None) as watch:
            assert_type(watch, Watch)
            assert assert_type(watch.check(), tuple[PluginChange, ...]) == ()
        assert_type(manager.reload("echo", registry=registry), WasmPlugin)


def use_a_manifest() -> None:
    """Load the plugins of a manifest, and refuse a wrong one."""
    policy = ToolPolicy(prefix="my_", tools={"echo": ToolSettings(hidden=True)})
    assert_type(PluginOptions(policy=policy).policy, ToolPolicy | None)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "echo.wasm").write_bytes(example("echo").read_bytes())
        manifest = Path(folder, "plugins.toml")
        manifest.write_text("[plugins.echo]\npath = 'echo.wasm'\ntools.echo.approval = true\n")
        manager = assert_type(WasmPluginManager.from_manifest(manifest), WasmPluginManager)
        assert_type(manager.load_manifest(manifest, environ={}), DiscoveryReport)
        registry = ToolRegistry()
        manager.register_all(registry)
        (definition,) = registry.definitions()
        assert_type(definition.annotations, Mapping[str, Any])
        assert definition.requires_approval
        manifest.write_text(f"[plugins.echo]\npath = 'echo.wasm'\nsha256 = '{'0' * 64}'\n")
        try:
            WasmPluginManager.from_manifest(manifest)
        except ManifestError as error:
            raise AssertionError("it is a manifest") from error
        except PluginHashError as error:
            assert_type(error.found, str)
        else:
            raise AssertionError("it is another file")


def use_a_format() -> None:
    """List tools for a model, run the calls of its message, and return the results."""
    registry = ToolRegistry()
    WasmPlugin.load(example("zig_text")).register_into_registry(registry)
    form = FORMATS["openai"](registry)
    assert_type(form, ToolFormat)
    assert len(form.tools()) == 2
    function = {"name": "levenshtein", "arguments": '{"a": "kitten", "b": "sitting"}'}
    message = {"tool_calls": [{"type": "function", "id": "1", "function": function}]}
    (call,) = assert_type(form.calls(message), list[ToolCall])
    assert result_text(form.run(call)) == "3"
    (answer,) = form.answer(message)
    assert answer == {"role": "tool", "tool_call_id": "1", "content": "3"}
    try:
        form.answer({"tool_calls": 5})
    except ToolFormatError as error:
        assert_type(error.format, str)
    else:
        raise AssertionError("it is no message")


def use_an_instance() -> None:
    """Instantiate a module, call its exports, and read its memory."""
    instance = assert_type(instantiate(example("echo").read_bytes()), Instance)
    exports = assert_type(instance.exports, Exports)
    assert_type(exports.function("plugin_tools_count"), Function)
    memory = assert_type(exports.memory(), Memory)
    pointer: int = exports.function("plugin_name")()
    assert_type(memory.read_string(pointer), str)
    assert_type(memory.read(pointer, 4), bytes)
    assert_type(memory.read_u32(pointer), int)
    assert_type(memory.read_f64(pointer), float)
    try:
        assert_type(exports.table("no such table"), Table)
    except UnknownExportError as error:
        assert_type(error.name, str)
    else:
        raise AssertionError("the module has no such table")


def make_imports() -> None:
    """Make the objects that a module can import."""
    said: list[str] = []

    @host_function
    def log(text: str) -> None:
        said.append(text)

    def log_pointer(caller: Caller, pointer: int) -> None:
        said.append(caller.memory.read_string(pointer))

    for function in (log, log_pointer):
        plugin = WasmPlugin.load(example("imports_host"), imports={"env": {"log": function}})
        assert plugin.execute_tool("greet", "good morning") == "logged"
    assert said == ["good morning"] * 2
    memory = Memory(MemoryType(Limits(1, 2)))
    memory.write_u32(0, 7)
    with memory.view(0, 4) as view:
        assert_type(view, memoryview)
    counter = Global(GlobalType(ValType.I64, mutable=True), 5)
    counter.value += 1
    table = Table(TableType(ValType.FUNCREF, Limits(1)))

    def twice(value: int) -> int:
        return 2 * value

    double = Function(FuncType((ValType.I32,), (ValType.I32,)), twice)
    table.set(0, double)
    answer: Any = double(21)
    assert (memory.read_u32(0), counter.value, answer) == (7, 6, 42)


def read_a_trap() -> None:
    """Run out of fuel, and read the reason."""
    data = example("loop_forever").read_bytes()
    instance = instantiate(data, limits=ResourceLimits(fuel=1000))
    try:
        instance.exports.function("plugin_tool_execute")(0, 0)
    except Trap as trap:
        assert_type(trap.reason, TrapReason)
        assert trap.reason is TrapReason.OUT_OF_FUEL
    else:
        raise AssertionError("the loop ended")


def give_streams(file: Path) -> None:
    """Give files and functions as streams, and directories of both kinds."""
    pieces: list[bytes] = []
    with file.open("w+b") as buffered, file.open("w+b", buffering=0) as raw:
        for stream in (buffered, raw):
            Wasi(stdin=stream, stdout=stream)
    with file.open("rb") as reading, file.open("wb") as writing:
        Wasi(stdin=reading, stdout=writing, stderr=lambda data: pieces.append(data))
    Wasi(stdin=lambda size: b"", stdout=pieces.append, stderr="inherit")
    Wasi(stdin="inherit", stdout=io.BytesIO(), stderr=io.BytesIO())
    both = {"/a": MemoryDirectory(), "/b": HostDirectory(file.parent)}
    Wasi(directories=both)
    Wasi(directories={"/a": both["/a"]})


def use_wasi() -> None:
    """Grant things to a module, and read the grants back."""
    scratch = MemoryDirectory({"in/a.txt": "text", "link": SymbolicLink("in/a.txt")})
    assert_type(scratch.files(), dict[str, bytes | SymbolicLink])
    wasi = Wasi(
        args=["program"],
        env={"HOME": "/"},
        stdin=b"input",
        stdout="discard",
        directories={"/": scratch, "/host": HostDirectory(".", read_only=True)},
        clock=FixedClock(start=10**18),
        random="host",
        quotas=Quotas(files=10),
    )
    try:
        run_command(example("echo"), wasi)
    except NotACommandError as error:
        assert_type(error.details, str)
    else:
        raise AssertionError("a plugin is no command")
    instance = instantiate(example("echo").read_bytes(), wasi=wasi)
    assert_type(instance.wasi.stdout, bytes)
    plugin = WasmPlugin.load(example("echo"), wasi=True)
    assert plugin.execute_tool("echo", "again") == "again"
    with tempfile.TemporaryDirectory() as directory:
        give_streams(Path(directory, "file"))
    result = CommandResult(3, b"", b"")
    assert_type(result.exit_code, int)
    for error_type in (Exited(3), Aborted("no reason"), GrantError("/a", "is not there")):
        assert_type(str(error_type), str)


if __name__ == "__main__":
    use_a_plugin()
    use_options()
    use_a_pool()
    use_a_module()
    use_the_text_format()
    use_a_registry()
    use_approval()
    find_plugins_that_change()
    use_a_manifest()
    use_a_format()
    use_an_instance()
    make_imports()
    read_a_trap()
    use_wasi()
