"""The fixes of findings: one line, or one for each toolchain where they differ."""

from __future__ import annotations

from purewasm_plugins.errors import DeadlineExceeded, OutOfFuel, Trap, TrapReason, WasmError
from purewasm_plugins.plugin import abi
from purewasm_plugins.wasm import Import, MemoryType

#: The parameters of exports. Every other export has none.
_PARAMETERS = {
    "plugin_tool_name": ("tool",),
    "plugin_tool_description": ("tool",),
    "plugin_tool_schema": ("tool",),
    "plugin_tool_output_schema": ("tool",),
    "plugin_tool_execute": ("tool", "input"),
    "plugin_alloc": ("size",),
    "plugin_free": ("block",),
}

#: The exports that return a number. The others return a pointer or nothing.
_NUMBERS = ("plugin_tools_count", "plugin_abi_version")

#: The form of a declaration: language, parameter, the types of a number, of mutable
#: bytes, of constant bytes and of nothing, and the whole.
_LANGUAGES = (
    ("C", "{type}{name}", "int ", "char *", "const char *", "void ",
     '__attribute__((export_name("{export}"))) {result}{export}({parameters})'),
    ("Rust", "{name}: {type}", "i32", "*mut u8", "*const u8", "()",
     '#[no_mangle] pub extern "C" fn {export}({parameters}) -> {result}'),
    ("Zig", "{name}: {type}", "i32", "[*:0]u8", "[*:0]const u8", "void",
     "export fn {export}({parameters}) {result}, built with -rdynamic"),
    ("AssemblyScript", "{name}: {type}", "i32", "usize", "usize", "void",
     "export function {export}({parameters}): {result}"),
)  # fmt: skip

MEMORY = (
    "export the memory under the name memory\n"
    "C, Rust, Zig: the linker exports it, without --import-memory\n"
    "AssemblyScript: asc exports it, without --importMemory and --noExportMemory"
)
REACTOR = (
    "C: link with -mexec-model=reactor, or -Wl,--no-entry\n"
    "Rust: crate-type = cdylib\n"
    "Zig: build with -fno-entry"
)
WASI = "give it WASI: --wasi on the command line, wasi=True in Python"
LIMIT = "declare less, or raise the host's limit"
POINTER = "return the address of a string that ends with a zero byte"
UTF8 = "return UTF-8"
EMPTY = "return a string that is not empty"
COUNT = f"return the number of tools, at most {abi.MAX_TOOLS}"
NO_TOOLS = "a plugin without tools has nothing to run"
VERSION = f"return {abi.ABI_VERSION}, or leave plugin_abi_version out"
DUPLICATE = "give each tool a different name"
AGENT_NAME = "use letters (a-z, A-Z), digits, _ and -, 64 at most; a letter or _ first"
SCHEMA = 'return a JSON Schema: {"type": "object", "properties": {...}}'
EXAMPLE = 'give its properties an "examples", "const", "enum" or "minimum" that the schema allows'
LATE = "make it faster, or raise the limit of time or fuel"
TOOL = "return a message for an input that the tool cannot use, do not trap"
LARGE = "make the tool work on large inputs"
PLACE = "make the output depend on the bytes of the input only"
INDEX = "return or trap for an index that no tool has"
ALLOCATOR = "return memory that nothing else uses until it is freed, or 0"
OVERWRITES = (
    "export an allocator: hosts then put inputs into memory that it gives\n"
    "C: plugin_alloc and plugin_free; with a C library, -Wl,--export=malloc -Wl,--export=free\n"
    "Rust, Zig, Go: plugin_alloc and plugin_free, or cabi_realloc\n"
    "AssemblyScript: asc --exportRuntime, for __new, __pin and __unpin"
)


def of_export(export: str) -> str:
    """Return how to declare an export of the ABI."""
    lines = []
    for language, parameter, number, pointer, output, nothing, whole in _LANGUAGES:
        types = {"tool": number, "size": number, "input": pointer, "block": pointer}
        names = _PARAMETERS.get(export, ())
        parameters = ", ".join(parameter.format(name=n, type=types[n]) for n in names)
        if export in _NUMBERS:
            result = number
        elif (abi.REQUIRED | abi.OPTIONAL)[export].results:
            result = pointer if export == "plugin_alloc" else output
        else:
            result = nothing
        if language == "C":
            parameters = parameters or "void"
        line = whole.format(export=export, parameters=parameters, result=result)
        lines.append(f"{language}: {line}")
    return "\n".join(lines)


def of_module(details: str) -> str:
    """Return the fix of a file that is not a valid module.

    Args:
        details: the reason, as `CompileError` has it.
    """
    if "component" in details:
        return (
            "build a core module\n"
            "Rust: --target wasm32-unknown-unknown, not wasm32-wasip2\n"
            "or take the module out of the component: wasm-tools component unbundle"
        )
    if "not supported" in details:
        return (
            "build for WebAssembly 2.0, without the later feature\n"
            "C, Zig: -mcpu=generic\n"
            "Rust: -C target-cpu=mvp"
        )
    return "build it again: this is not a complete and valid WebAssembly module"


def of_import(entry: Import) -> str:
    """Return the fix of an import that is not given."""
    module, name, type_ = entry.module, entry.name, entry.type
    if isinstance(type_, MemoryType):
        return (
            f"give {module}.{name} as an import from Python, or define a memory in the module\n"
            "C, Rust, Zig: link without --import-memory\n"
            "AssemblyScript: asc without --importMemory"
        )
    if module.startswith("wasi"):
        return (
            "without WASI: leave out files, clocks, random numbers and printing\n"
            "C: leave stdio out, and exit and abort\n"
            "Rust: --target wasm32-unknown-unknown"
        )
    if (module, name) == ("env", "abort"):
        return "AssemblyScript: asc --use abort="
    if module.startswith(("__wbindgen", "wbg")):
        return "Rust: leave out wasm-bindgen, and the crates (or their feature js) that need it"
    if module == "env":
        return (
            f"define {name}, or give it as an import from Python\n"
            "C: a function that is declared and not defined becomes an import"
        )
    return f"give {module}.{name} as an import from Python, or do without it"


def of_error(error: WasmError) -> str:
    """Return the fix of an export whose call failed."""
    if isinstance(error, (DeadlineExceeded, OutOfFuel)):
        return LATE
    if not isinstance(error, Trap):
        return LIMIT
    if error.reason is TrapReason.OUT_OF_BOUNDS_MEMORY_ACCESS:
        return "look for a bad pointer, or for a data segment that does not fit"
    return "remove the trap: a panic, an abort or a failed assertion is one"
