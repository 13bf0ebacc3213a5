"""Checks that run the plugin: its description, and its tools on a few inputs."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import (
    DeadlineExceeded,
    InvalidArgumentsError,
    InvalidString,
    OutOfFuel,
    PluginError,
    StringError,
    WasmError,
)
from purewasm_plugins.module import instantiate
from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.conformance import fixes
from purewasm_plugins.plugin.conformance.findings import Check, Status
from purewasm_plugins.plugin.conformance.inputs import large_inputs, short_inputs
from purewasm_plugins.plugin.conformance.placement import (
    OldEnd,
    PlaceOf,
    Run,
    compared,
    far_away,
    hidden,
    old_end,
)
from purewasm_plugins.plugin.strings import (
    OwnStrings,
    PluginAllocator,
    input_place,
)
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.runtime.memory import GrowRefusal, Memory
from purewasm_plugins.support.json_text import read_json
from purewasm_plugins.tools.names import AGENT_NAME
from purewasm_plugins.tools.registry import schema_validator
from purewasm_plugins.wasm import PAGE_SIZE, ValidModule

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

#: Seconds after which no further tool is run.
TIME_BOX = 60.0

#: Sizes in bytes of the inputs that a plugin may overwrite. The first is always used,
#: then the largest that takes at most `LARGE_SECONDS`, estimated from the first.
SIZES = (1_000, PAGE_SIZE + 1, 500_000)
LARGE_SECONDS = 1.0


class Running:
    """The checks of one plugin that execute its code."""

    def __init__(
        self,
        module: ValidModule,
        usable: frozenset[str],
        engine: str | Engine | None,
        limits: ResourceLimits,
        imports: Imports | None,
        wasi: Wasi | bool | None,
    ) -> None:
        """Prepare to run a plugin.

        Args:
            module: the plugin.
            usable: the exports of the ABI that are present with the right type.
            engine, limits, imports, wasi: as for `WasmPlugin.load_from_bytes`.
        """
        self._module = module
        self._usable = usable
        self._engine = engine
        self._limits = limits
        self._imports = imports
        self._wasi = wasi
        self._end = math.inf if limits.timeout is None else time.monotonic() + TIME_BOX
        self._strings = OwnStrings(limits.output_bytes)
        self._names: dict[str, int] = {}
        self._any_runs = False
        #: The instance of the last run.
        self._last: Instance | None = None
        #: The place of inputs. `_allocator` replaces it where the allocator's exports are wrong.
        self._place: PlaceOf = input_place

    def checks(self) -> Iterator[Check]:
        """Run the checks in the order in which a host uses the plugin."""
        try:
            instance = self._open()
        except WasmError as error:
            yield Check("instantiation", Status.FAIL, error.summary, fixes.of_error(error))
            return
        yield Check("instantiation", Status.PASS)
        if "plugin_abi_version" in self._usable:
            yield self._abi_version(instance)
        for name in ("name", "version", "description"):
            if {f"plugin_{name}", abi.MEMORY} <= self._usable:
                yield self._string(instance, name, f"plugin_{name}")[1]
        if not {*abi.REQUIRED, abi.MEMORY} <= self._usable:
            return
        counted, count = self._tool_count(instance)
        yield counted
        if count:
            allocator = self._allocator(instance)
            if allocator is not None:
                yield allocator
            for index in range(count):
                yield from self._tool(instance, index, allocator)
            if self._any_runs:
                yield self._out_of_range(count)

    def _open(self) -> Instance:
        """Make an instance and initialise it.

        Raises:
            WasmError: instantiation or `_initialize` failed.
        """
        instance = instantiate(
            self._module,
            self._imports,
            engine=self._engine,
            limits=self._limits,
            wasi=self._wasi,
        )
        if "_initialize" in self._usable:
            call(instance, "_initialize")
        return instance

    def _fresh(self) -> Instance:
        """Make an instance for one run, in place of the last such one, which has files open.

        Raises:
            WasmError: as for `_open`.
        """
        if self._last is not None:
            self._last.discard()
        self._last = self._open()
        return self._last

    # The plugin's description.

    def _abi_version(self, instance: Instance) -> Check:
        name = "ABI version"
        try:
            version = _signed(call(instance, "plugin_abi_version"))
        except WasmError as error:
            return Check(name, Status.FAIL, error.summary, fixes.of_error(error))
        if version != abi.ABI_VERSION:
            return Check(name, Status.FAIL, f"{version}, not {abi.ABI_VERSION}", fixes.VERSION)
        return Check(name, Status.PASS, str(version))

    def _tool_count(self, instance: Instance) -> tuple[Check, int]:
        name = "tool count"
        try:
            count = _signed(call(instance, "plugin_tools_count"))
        except WasmError as error:
            return Check(name, Status.FAIL, error.summary, fixes.of_error(error)), 0
        if not 0 <= count <= abi.MAX_TOOLS:
            return Check(name, Status.FAIL, str(count), fixes.COUNT), 0
        if count == 0:
            return Check(name, Status.WARNING, "0", fixes.NO_TOOLS), 0
        return Check(name, Status.PASS, str(count)), count

    def _string(
        self, instance: Instance, name: str, export: str, *arguments: int
    ) -> tuple[str, Check]:
        """Read the string that an export points to, and check it."""
        try:
            pointer = call(instance, export, *arguments)
            data = self._strings.read(abi.exported_memory(instance), pointer, export)
        except WasmError as error:
            details = f"{export}: {error.summary}"
            return "", Check(name, Status.FAIL, details, fixes.of_error(error))
        except StringError as error:
            return "", Check(name, Status.FAIL, f"{export}: {error}", fixes.POINTER)
        text = data.decode("utf-8", "replace")
        wrong = _not_utf8(data)
        if wrong:
            return text, Check(name, Status.FAIL, f"{export}: {wrong}", fixes.UTF8)
        if not text:
            # Only an empty version is an error.
            status = Status.FAIL if export == "plugin_version" else Status.WARNING
            return text, Check(name, status, f"{export}: empty", fixes.EMPTY)
        return text, Check(name, Status.PASS, text)

    # The tools.

    def _tool(self, instance: Instance, index: int, allocator: Check | None) -> Iterator[Check]:
        label = f"tool {index}"
        yield self._tool_name(instance, index, f"{label} name")
        yield self._string(instance, f"{label} description", "plugin_tool_description", index)[1]
        schema: Mapping[str, Any] | None = None
        if "plugin_tool_schema" in self._usable:
            schema, found = self._schema(instance, index, f"{label} schema", "plugin_tool_schema")
            yield found
        if "plugin_tool_output_schema" in self._usable:
            name = f"{label} output schema"
            yield self._schema(instance, index, name, "plugin_tool_output_schema")[1]
        if time.monotonic() > self._end:
            details = f"not run: the checks have taken {TIME_BOX:.0f} s"
            yield Check(f"{label} runs", Status.WARNING, details)
        elif allocator is None or allocator.passed:
            runs = self._runs(index, schema, f"{label} runs")
            yield runs
            if runs.status is Status.PASS:
                self._any_runs = True
                yield self._keeps_input(index, schema, f"{label} input", allocator is not None)

    def _tool_name(self, instance: Instance, index: int, name: str) -> Check:
        text, found = self._string(instance, name, "plugin_tool_name", index)
        if not found.passed:
            return found
        first = self._names.setdefault(text, index)
        if first != index:
            details = f"{text}: the name of tool {first}, too"
            return Check(name, Status.FAIL, details, fixes.DUPLICATE)
        if not AGENT_NAME.fullmatch(text):
            details = f"{text or 'empty'}: many agents do not accept it"
            return Check(name, Status.WARNING, details, fixes.AGENT_NAME)
        return found

    def _schema(
        self, instance: Instance, index: int, name: str, export: str
    ) -> tuple[Mapping[str, Any] | None, Check]:
        text, found = self._string(instance, name, export, index)
        of_output = export == "plugin_tool_output_schema"
        if of_output and not text and found.status is not Status.FAIL:
            return None, Check(name, Status.PASS, "none: the output is any text")
        if found.status is not Status.PASS:
            return None, Check(name, Status.FAIL, found.details, found.fix)
        try:
            schema = read_json(text)
        except ValueError as error:
            return None, Check(name, Status.FAIL, f"not JSON: {error}", fixes.SCHEMA)
        if not isinstance(schema, dict):
            return None, Check(name, Status.FAIL, "not a JSON object", fixes.SCHEMA)
        try:
            schema_validator(f"tool {index}", schema)
        except InvalidArgumentsError as error:
            return None, Check(name, Status.FAIL, error.details, fixes.SCHEMA)
        if schema.get("type") != "object":
            what = "outputs" if of_output else "arguments"
            details = f'without "type": "object", which agents expect of {what}'
            return schema, Check(name, Status.WARNING, details, fixes.SCHEMA)
        return schema, Check(name, Status.PASS, "a JSON Schema")

    def _runs(self, index: int, schema: Mapping[str, Any] | None, name: str) -> Check:
        """Check that a tool returns a string for short inputs."""
        found = []
        for text in short_inputs(schema):
            run = self._run(index, text.encode(), self._place)
            if run.output is None:
                return Check(name, Status.FAIL, f"on {_quoted(text)}: {run.error}", run.fix)
            wrong = _not_utf8(run.output)
            if wrong:
                return Check(name, Status.FAIL, f"on {_quoted(text)}: {wrong}", fixes.UTF8)
            found.append(f"{_quoted(text)} gives {len(run.output)} bytes")
        if not found:
            details = "not run: its schema allows none of the arguments that were tried"
            return Check(name, Status.WARNING, details, fixes.EXAMPLE)
        return Check(name, Status.PASS, ", ".join(found))

    def _keeps_input(
        self, index: int, schema: Mapping[str, Any] | None, name: str, allocator: bool
    ) -> Check:
        """Check that a large input stays unchanged where a host puts it.

        Each run has a fresh instance: an allocator claims memory when it is first used.
        """
        place = self._place if allocator else old_end
        found = self._compare(index, schema, SIZES[0], name, place)
        if found is None:
            details = f"not checked: {SIZES[0]:,} bytes take too long"
            return Check(name, Status.WARNING, details, fixes.LATE)
        if found.status is not Status.PASS:
            return found
        seconds = max(self._seconds(index, data) for data in large_inputs(schema, SIZES[0]))
        per_byte = seconds / SIZES[0]
        fitting = [size for size in SIZES[1:] if size * per_byte <= LARGE_SECONDS]
        larger = self._compare(index, schema, fitting[-1], name, place) if fitting else None
        if larger is None or (larger.passed and fitting[-1] < SIZES[-1]):
            larger = larger or found
            return replace(larger, details=f"{larger.details} (larger inputs take too long)")
        return larger

    def _compare(
        self, index: int, schema: Mapping[str, Any] | None, size: int, name: str, place: PlaceOf
    ) -> Check | None:
        """Return the most severe finding on inputs in a place; None if time ran out."""
        worst = None
        for data in large_inputs(schema, size):
            safe = self._run(index, data, hidden)
            if safe.crowded:
                safe = self._run(index, data, far_away)
            exposed = self._run(index, data, place)
            if safe.late or exposed.late:
                return None
            found = compared(name, len(data), safe, exposed, allocator=place is not old_end)
            if worst is None or _severity(found) > _severity(worst):
                worst = found
        return worst

    def _seconds(self, index: int, text: bytes) -> float:
        """Measure the second call of a tool with an input.

        The first call does not count: an engine may translate during it.
        """
        try:
            instance = self._fresh()
            pointer = far_away(instance, abi.exported_memory(instance)).put(text + b"\0")
            call(instance, "plugin_tool_execute", index, pointer)
            started = time.perf_counter()
            call(instance, "plugin_tool_execute", index, pointer)
        except WasmError:
            return math.inf
        return time.perf_counter() - started

    def _run(self, index: int, text: bytes, place_of: PlaceOf) -> Run:
        """Run a tool once, on a fresh instance."""
        data = text + b"\0"
        crowded = False
        try:
            instance = self._fresh()
            memory = abi.exported_memory(instance)
            place = place_of(instance, memory)
            pointer = place.put(data)
            try:
                answer = call(instance, "plugin_tool_execute", index, pointer)
                reason = self._reported_failure(instance, memory)
            finally:
                crowded = memory.grow_refusal is GrowRefusal.HOST_REGION
            if reason is not None:
                # The output of a tool that failed is not read: the reason replaces it.
                answer = reason
            output = bytes(memory.string_bytes(answer, self._limits.output_bytes))
        except (DeadlineExceeded, OutOfFuel) as error:
            return Run(error=error.summary, fix=fixes.LATE, late=True)
        except InvalidString as error:
            return Run(error=error.summary, fix=fixes.POINTER, crowded=crowded)
        except WasmError as error:
            return Run(error=error.summary, fix=fixes.TOOL, crowded=crowded)
        except StringError as error:
            return Run(error=str(error), fix=fixes.POINTER, crowded=crowded)
        after = memory.read(pointer, len(data))
        strayed = place.strayed() if isinstance(place, OldEnd) else 0
        return Run(output, input=after, strayed=strayed, crowded=crowded)

    def _reported_failure(self, instance: Instance, memory: Memory) -> int | None:
        """Return the pointer to the reason of a failure that the tool reported, or None.

        Raises:
            InvalidString: the pointer is not one to a string.
            WasmError: `plugin_tool_error` trapped.
        """
        if "plugin_tool_error" not in self._usable:
            return None
        pointer = call(instance, "plugin_tool_error")
        if pointer == 0:
            return None
        try:
            memory.string_bytes(pointer, self._limits.output_bytes)
        except InvalidString as error:
            raise InvalidString(f"plugin_tool_error: {error.details}") from None
        return pointer

    def _allocator(self, instance: Instance) -> Check | None:
        """Check the allocator, if the plugin exports one."""
        memory = abi.exported_memory(instance)
        try:
            place = input_place(instance, memory)
        except PluginError:
            # An export has the wrong type: `export_checks` has reported it.
            self._place = hidden
            return None
        if not isinstance(place, PluginAllocator):
            return None
        name, sizes = "allocator", (1, PAGE_SIZE + 1, 1)
        try:
            pointers = [place.put(bytes(size)) for size in sizes]
            place.release()
        except StringError as error:
            return Check(name, Status.FAIL, str(error), fixes.ALLOCATOR)
        except WasmError as error:
            return Check(name, Status.FAIL, error.summary, fixes.ALLOCATOR)
        blocks = sorted(zip(pointers, sizes, strict=True))
        if any(start + size > after for (start, size), (after, _) in itertools.pairwise(blocks)):
            details = "it returns memory that is already allocated"
            return Check(name, Status.FAIL, details, fixes.ALLOCATOR)
        return Check(name, Status.PASS, "exported: hosts put inputs into its memory")

    def _out_of_range(self, count: int) -> Check:
        """Check that the plugin returns or traps for the index of a missing tool."""
        name, found = "tool index", []
        for index in (count, 0xFFFFFFFF):
            run = self._run(index, b"", self._place)
            if run.late:
                details = f"tool {_signed(index)}: {run.error}"
                return Check(name, Status.FAIL, details, fixes.INDEX)
            found.append(f"{_signed(index)}: {'a string' if run.output is not None else run.error}")
        return Check(name, Status.PASS, f"out of range, {'; '.join(found)}")


def call(instance: Instance, export: str, *arguments: int) -> int:
    """Call an export of the ABI that has the right type.

    Returns:
        Its result as an unsigned integer, or 0 if it has none.

    Raises:
        WasmError: the call failed.
    """
    if export in abi.REQUIRED:
        result = abi.required_function(instance, export)(*arguments)
    else:
        function = abi.optional_function(instance, export)
        result = None if function is None else function(*arguments)
    return 0 if result is None else int(result) & 0xFFFFFFFF


def _severity(found: Check) -> int:
    return list(Status).index(found.status)


def _signed(value: int) -> int:
    return value - ((value & 0x80000000) << 1)


def _not_utf8(data: bytes | bytearray) -> str:
    """Return what is wrong with the encoding of a string; an empty text for valid UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the text is not UTF-8: {data[error.start]:#04x}"
    return ""


def _quoted(text: str) -> str:
    return f'"{text if len(text) <= 40 else text[:39] + "…"}"'
