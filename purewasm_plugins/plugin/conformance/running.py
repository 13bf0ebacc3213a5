"""Checks that run the plugin: what it says of itself, and its tools on a few inputs."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from purewasm_plugins.engine import Engine, instantiate
from purewasm_plugins.errors import (
    DeadlineExceeded,
    InvalidArgumentsError,
    InvalidString,
    OutOfFuel,
    PluginError,
    StringError,
    WasmError,
)
from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.conformance import mends
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
from purewasm_plugins.runtime.memory import GrowRefusal
from purewasm_plugins.support.json_text import read_json
from purewasm_plugins.tools.formats import AGENT_NAME
from purewasm_plugins.tools.registry import schema_validator
from purewasm_plugins.wasm import PAGE_SIZE, ValidModule

#: Seconds after which no further tool is run.
TIME_BOX = 60.0

#: Bytes of the inputs that a plugin may overwrite: the first always, and then the largest that
#: takes no longer than `LARGE_SECONDS`, to judge by the first.
SIZES = (1_000, PAGE_SIZE + 1, 500_000)
LARGE_SECONDS = 1.0


class Running:
    """The checks of one plugin that run it."""

    def __init__(
        self,
        module: ValidModule,
        usable: frozenset[str],
        engine: str | Engine | None,
        limits: ResourceLimits,
        imports: Imports | None,
    ) -> None:
        """Prepare to run a plugin.

        Args:
            module: the plugin.
            usable: the exports of the ABI that it has, and of the right type.
            engine, limits, imports: as for `WasmPlugin.load_from_bytes`.
        """
        self._module = module
        self._usable = usable
        self._engine = engine
        self._limits = limits
        self._imports = imports
        self._end = math.inf if limits.timeout is None else time.monotonic() + TIME_BOX
        self._strings = OwnStrings(limits.output_bytes)
        self._names: dict[str, int] = {}
        self._any_runs = False
        #: Where inputs go here: `_allocator` looks whether that can be found out.
        self._place: PlaceOf = input_place

    def checks(self) -> Iterator[Check]:
        """All of them, in the order in which a host meets what they are about."""
        try:
            instance = self._open()
        except WasmError as error:
            yield Check("instantiation", Status.FAIL, error.summary, mends.of_error(error))
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
        """Make a fresh instance, initialised.

        Raises:
            WasmError
        """
        instance = instantiate(
            self._module, self._imports, engine=self._engine, limits=self._limits
        )
        if "_initialize" in self._usable:
            call(instance, "_initialize")
        return instance

    # What the plugin says of itself.

    def _abi_version(self, instance: Instance) -> Check:
        name = "ABI version"
        try:
            version = _signed(call(instance, "plugin_abi_version"))
        except WasmError as error:
            return Check(name, Status.FAIL, error.summary, mends.of_error(error))
        if version != abi.ABI_VERSION:
            return Check(name, Status.FAIL, f"{version}, not {abi.ABI_VERSION}", mends.VERSION)
        return Check(name, Status.PASS, str(version))

    def _tool_count(self, instance: Instance) -> tuple[Check, int]:
        name = "tool count"
        try:
            count = _signed(call(instance, "plugin_tools_count"))
        except WasmError as error:
            return Check(name, Status.FAIL, error.summary, mends.of_error(error)), 0
        if not 0 <= count <= abi.MAX_TOOLS:
            return Check(name, Status.FAIL, str(count), mends.COUNT), 0
        if count == 0:
            return Check(name, Status.WARNING, "0", mends.NO_TOOLS), 0
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
            return "", Check(name, Status.FAIL, details, mends.of_error(error))
        except StringError as error:
            return "", Check(name, Status.FAIL, f"{export}: {error}", mends.POINTER)
        text = data.decode("utf-8", "replace")
        wrong = _not_utf8(data)
        if wrong:
            return text, Check(name, Status.FAIL, f"{export}: {wrong}", mends.UTF8)
        if not text:
            # Of all strings, only the version must not be empty.
            status = Status.FAIL if export == "plugin_version" else Status.WARNING
            return text, Check(name, status, f"{export}: empty", mends.EMPTY)
        return text, Check(name, Status.PASS, text)

    # Its tools.

    def _tool(self, instance: Instance, index: int, allocator: Check | None) -> Iterator[Check]:
        label = f"tool {index}"
        yield self._tool_name(instance, index, f"{label} name")
        yield self._string(instance, f"{label} description", "plugin_tool_description", index)[1]
        schema: Mapping[str, Any] | None = None
        if "plugin_tool_schema" in self._usable:
            schema, found = self._schema(instance, index, f"{label} schema")
            yield found
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
            return Check(name, Status.FAIL, details, mends.DUPLICATE)
        if not AGENT_NAME.fullmatch(text):
            details = f"{text or 'empty'}: many agents do not accept it"
            return Check(name, Status.WARNING, details, mends.AGENT_NAME)
        return found

    def _schema(
        self, instance: Instance, index: int, name: str
    ) -> tuple[Mapping[str, Any] | None, Check]:
        text, found = self._string(instance, name, "plugin_tool_schema", index)
        if found.status is not Status.PASS:
            return None, Check(name, Status.FAIL, found.details, found.mend)
        try:
            schema = read_json(text)
        except ValueError as error:
            return None, Check(name, Status.FAIL, f"not JSON: {error}", mends.SCHEMA)
        if not isinstance(schema, dict):
            return None, Check(name, Status.FAIL, "not a JSON object", mends.SCHEMA)
        try:
            schema_validator(f"tool {index}", schema)
        except InvalidArgumentsError as error:
            return None, Check(name, Status.FAIL, error.details, mends.SCHEMA)
        if schema.get("type") != "object":
            details = 'without "type": "object", which agents expect of arguments'
            return schema, Check(name, Status.WARNING, details, mends.SCHEMA)
        return schema, Check(name, Status.PASS, "a JSON Schema")

    def _runs(self, index: int, schema: Mapping[str, Any] | None, name: str) -> Check:
        """Whether a tool answers short inputs."""
        found = []
        for text in short_inputs(schema):
            run = self._run(index, text.encode(), self._place)
            if run.output is None:
                return Check(name, Status.FAIL, f"on {_quoted(text)}: {run.error}", run.mend)
            wrong = _not_utf8(run.output)
            if wrong:
                return Check(name, Status.FAIL, f"on {_quoted(text)}: {wrong}", mends.UTF8)
            found.append(f"{_quoted(text)} gives {len(run.output)} bytes")
        if not found:
            details = "not run: its schema allows none of the arguments that were tried"
            return Check(name, Status.WARNING, details, mends.EXAMPLE)
        return Check(name, Status.PASS, ", ".join(found))

    def _keeps_input(
        self, index: int, schema: Mapping[str, Any] | None, name: str, allocator: bool
    ) -> Check:
        """Whether a large input survives where a host puts it.

        With a fresh instance for each run: an allocator takes what it finds when it is first used.
        """
        place = self._place if allocator else old_end
        found = self._compare(index, schema, SIZES[0], name, place)
        if found is None:
            details = f"not checked: {SIZES[0]:,} bytes take too long"
            return Check(name, Status.WARNING, details, mends.LATE)
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
        """Return the worst that a tool does to its input in a place; None if time ran out."""
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
        """How long a tool takes for an input, when it is called again.

        Its first call does not count: an engine may translate what it runs first.
        """
        try:
            instance = self._open()
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
            instance = self._open()
            memory = abi.exported_memory(instance)
            place = place_of(instance, memory)
            pointer = place.put(data)
            try:
                answer = call(instance, "plugin_tool_execute", index, pointer)
            finally:
                crowded = memory.grow_refusal is GrowRefusal.HOST_REGION
            output = bytes(memory.string_bytes(answer, self._limits.output_bytes))
        except (DeadlineExceeded, OutOfFuel) as error:
            return Run(error=error.summary, mend=mends.LATE, late=True)
        except InvalidString as error:
            return Run(error=error.summary, mend=mends.POINTER, crowded=crowded)
        except WasmError as error:
            return Run(error=error.summary, mend=mends.TOOL, crowded=crowded)
        except StringError as error:
            return Run(error=str(error), mend=mends.POINTER, crowded=crowded)
        after = memory.read(pointer, len(data))
        strayed = place.strayed() if isinstance(place, OldEnd) else 0
        return Run(output, input=after, strayed=strayed, crowded=crowded)

    def _allocator(self, instance: Instance) -> Check | None:
        """Check the allocator, if the plugin exports one."""
        memory = abi.exported_memory(instance)
        try:
            place = input_place(instance, memory)
        except PluginError:
            # One of its exports has the wrong type: that has failed already.
            self._place = hidden
            return None
        if not isinstance(place, PluginAllocator):
            return None
        name, sizes = "allocator", (1, PAGE_SIZE + 1, 1)
        try:
            pointers = [place.put(bytes(size)) for size in sizes]
            place.release()
        except StringError as error:
            return Check(name, Status.FAIL, str(error), mends.ALLOCATOR)
        except WasmError as error:
            return Check(name, Status.FAIL, error.summary, mends.ALLOCATOR)
        blocks = sorted(zip(pointers, sizes, strict=True))
        if any(start + size > after for (start, size), (after, _) in itertools.pairwise(blocks)):
            details = "it answers memory that it has given out already"
            return Check(name, Status.FAIL, details, mends.ALLOCATOR)
        return Check(name, Status.PASS, "exported: hosts put inputs where it says")

    def _out_of_range(self, count: int) -> Check:
        """Whether the plugin survives being asked for a tool that it does not have."""
        name, found = "tool index", []
        for index in (count, 0xFFFFFFFF):
            run = self._run(index, b"", self._place)
            if run.late:
                details = f"tool {_signed(index)}: {run.error}"
                return Check(name, Status.FAIL, details, mends.INDEX)
            found.append(
                f"{_signed(index)}: {'an answer' if run.output is not None else run.error}"
            )
        return Check(name, Status.PASS, f"out of range, {'; '.join(found)}")


def call(instance: Instance, export: str, *arguments: int) -> int:
    """Call an export of the ABI whose type is right; its result unsigned, or 0 without one.

    Raises:
        WasmError: it did not answer.
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
    """Say what is wrong with the encoding of a string; nothing where it is right."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the text is not UTF-8: {data[error.start]:#04x}"
    return ""


def _quoted(text: str) -> str:
    return f'"{text if len(text) <= 40 else text[:39] + "…"}"'
