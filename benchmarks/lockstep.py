"""Find the first function that two engines disagree on.

The command is `python -m benchmarks.lockstep FILE EXPORT ARGS`.

The same calls run on both engines. Every call of a function inside the module and every return
reports its values. The result is the first report with different values or a different memory. Each
engine runs several times: memory is compared rarely at first, then more often near the difference.
So all runs must be equal, and the host functions return the same results each time (see `hosts`).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import wasmtime

from benchmarks.hosts import WASI, HostFunctions, Memory, ProcessExit, Wasi, zeros
from purewasm_plugins import ResourceLimits, Trap, WasmError, instantiate
from purewasm_plugins.engine import Engine
from purewasm_plugins.wasm import ExternKind, FuncType, Module, ValType, load
from purewasm_plugins.wasm.symbols.names import read_names
from tests.differential.machines import trap_reason
from tests.differential.rewriting import TRACE, traced

#: The share of the time for comparing memories in the first run.
MEMORY_SHARE = 0.05
#: The most comparisons of memory in a later run.
MEMORY_LOOKS = 500
#: The number of bytes shown of memories that differ.
SHOWN_BYTES = 16

ENGINES = ("translator", "pywasm", "wasmtime")

_UNLIMITED = ResourceLimits(
    memory_pages=None, fuel=None, timeout=None, call_depth=None, table_elements=None
)

#: The exports that allocate memory for the text of a call.
_ALLOCATORS = ("malloc", "plugin_alloc", "allocate", "alloc")


class Call(NamedTuple):
    """One call from outside: an export and its arguments. A text is written to memory."""

    export: str
    arguments: tuple[int | float | str, ...] = ()


class Event(NamedTuple):
    """An event that an engine reports.

    Attributes:
        kind: "enter" and "leave" of a function, or "end" of a call from outside.
        function: its index; -1 for "end".
        values: its arguments or results, two i64 for a v128, True for a reference that is not null.
    """

    kind: str
    function: int
    values: tuple[Any, ...]

    @property
    def digest(self) -> int:
        """Return a number that differs for different events."""
        return zlib.crc32(repr(self).encode())


class Difference(NamedTuple):
    """The first difference of two engines.

    Attributes:
        number: the number of the report, from 1 on.
        active: the function that ran before it, with its arguments, and those outside of it; the
            innermost first.
        events: the event of each engine, in the order of the engines.
        address: the first byte of memory that differs, or None.
        memories: the bytes of each engine at that address.
    """

    number: int
    active: tuple[Event, ...]
    events: tuple[Event, Event]
    address: int | None
    memories: tuple[bytes, bytes]


class Subject(NamedTuple):
    """The program that each engine runs.

    Attributes:
        module: the original module.
        data: the module with reports.
        calls: the calls from outside.
        host: makes host functions for its memory, in addition to those of WASI.
    """

    module: Module
    data: bytes
    calls: tuple[Call, ...]
    host: Callable[[Memory], HostFunctions]


Observer = Callable[[Event, Callable[[], int], Callable[[], bytes]], None]
"""Called with an event, and with functions for the digest of the memory and the memory."""


class _Stop(Exception):
    """The end of the run of an engine."""


class _Side:
    """One run on one engine. It implements the memory for host functions."""

    def __init__(self, engine: str | Engine, subject: Subject, observe: Observer) -> None:
        self._subject = subject
        self._observe = observe
        self._module = load(subject.data).module
        self._wasi = Wasi(self)
        self._functions: dict[str, Any] = dict(subject.host(self))
        self._memory: Any = None
        self._exports: Any = {}
        self._store: Any = None
        if engine == "wasmtime":
            self._start_wasmtime()
        else:
            self._start_ours(engine)

    def run(self) -> None:
        """Make all calls."""
        names = {export.name for export in self._module.exports}
        calls = self._subject.calls
        for call in calls:
            if call.export not in names:
                raise WasmError(f"the module does not export '{call.export}'")
        if "_initialize" in names and calls[0].export != "_initialize":
            calls = (Call("_initialize"), *calls)
        for call in calls:
            outcome: tuple[Any, ...]
            try:
                given = [
                    self._text(argument) if isinstance(argument, str) else argument
                    for argument in call.arguments
                ]
                outcome = ("returned", _plain(self._call(call.export, given)))
            except (Trap, wasmtime.Trap) as trap:
                outcome = ("trapped", str(trap_reason(trap)))
            except ProcessExit as exit_:
                outcome = ("exited", str(exit_))
            except _Stop:
                raise
            except Exception as error:
                outcome = ("raised", f"{type(error).__name__}: {error}")
            self._tell(Event("end", -1, outcome))
            if outcome[0] != "returned":
                return

    def read(self, offset: int, size: int) -> bytes:
        if self._store is None:
            return bytes(self._memory.read(offset, size))
        return bytes(self._memory.read(self._store, offset, offset + size))

    def write(self, offset: int, data: bytes) -> None:
        if self._store is None:
            self._memory.write(offset, data)
        else:
            self._memory.write(self._store, data, offset)

    def _tell(self, event: Event) -> None:
        self._observe(event, self._digest, self._bytes)

    def _digest(self) -> int:
        """Return a digest of the memory; 0 if there is no memory yet."""
        if self._memory is None:
            return 0
        if self._store is None:
            with memoryview(self._memory.raw) as view, view[: self._memory.size] as pages:
                return zlib.crc32(pages)
        return zlib.crc32(self._memory.get_buffer_ptr(self._store))

    def _bytes(self) -> bytes:
        if self._memory is None:
            return b""
        size = self._memory.data_len(self._store) if self._store else self._memory.size
        return self.read(0, size)

    def _call(self, name: str, arguments: Sequence[Any]) -> Any:
        store = () if self._store is None else (self._store,)
        return self._exports[name](*store, *arguments)

    def _text(self, text: str) -> int:
        data = text.encode() + b"\0"
        for name in _ALLOCATORS:
            if name in self._exports:
                address = int(self._call(name, [len(data)])) & 0xFFFFFFFF
                self.write(address, data)
                return address
        raise WasmError(f"the module exports none of {', '.join(_ALLOCATORS)}: no room for text")

    # Imports

    def _host_functions(self) -> list[tuple[str, str, FuncType, Callable[..., Any]]]:
        found = []
        for entry in self._module.imports:
            type_ = self._module.import_type(entry)
            if not isinstance(type_, FuncType):
                raise WasmError(f"import '{entry.name}' is no function: --host cannot provide it")
            host = self._host_function(entry.module, entry.name, type_)
            found.append((entry.module, entry.name, type_, host))
        return found

    def _host_function(self, module: str, name: str, type_: FuncType) -> Callable[..., Any]:
        if module == TRACE:
            return self._report(name.partition(" ")[0], type_.params[1:])
        provided = self._functions.get(module, {}).get(name)
        if provided is None and module == WASI:
            provided = self._wasi.functions().get(name, Wasi.not_supported)
        return provided or zeros(type_)

    def _report(self, kind: str, types: Sequence[ValType]) -> Callable[..., None]:
        tell = self._tell
        if all(type_ in (ValType.I32, ValType.I64) for type_ in types):
            return lambda index, *values: tell(Event(kind, index, values))
        return lambda index, *values: tell(
            Event(
                kind,
                index,
                tuple(
                    value is not None if type_.is_reference else _plain(value)
                    for type_, value in zip(types, values, strict=True)
                ),
            )
        )

    # Engines

    def _start_ours(self, engine: str | Engine) -> None:
        imports: dict[str, dict[str, Any]] = {}
        for module, name, _, host in self._host_functions():
            imports.setdefault(module, {})[name] = host
        instance = instantiate(self._subject.data, imports, engine=engine, limits=_UNLIMITED)
        self._exports = instance.exports
        self._memory = next(iter(instance.memories), None)

    def _start_wasmtime(self) -> None:
        self._store = wasmtime.Store()
        imports: list[Any] = [
            wasmtime.Func(
                self._store,
                wasmtime.FuncType(
                    *(
                        [getattr(wasmtime.ValType, str(item))() for item in types]
                        for types in (type_.params, type_.results)
                    )
                ),
                host,
            )
            for _, _, type_, host in self._host_functions()
        ]
        compiled = wasmtime.Module(self._store.engine, self._subject.data)
        self._exports = wasmtime.Instance(self._store, compiled, imports).exports(self._store)
        memories = [
            export.name for export in self._module.exports if export.kind is ExternKind.MEMORY
        ]
        self._memory = self._exports[memories[0]] if memories else None


def _plain(value: Any) -> Any:
    """Convert a value to one that equals itself and has the same text on every engine."""
    if isinstance(value, float):
        return value if value == value else "NaN"
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    return value if value is None or isinstance(value, (int, str)) else "a reference"


class _Recording:
    """All events of one engine, by their digests, and digests of its memory after some of them."""

    def __init__(self, points: Iterable[int] | None, stop: int | None) -> None:
        self.events = array("I")
        self.memories: dict[int, int] = {}
        self._points = None if points is None else iter(points)
        self._next = 0 if self._points is None else next(self._points, 0)
        self._stop = stop
        self._time = time.perf_counter()

    def __call__(
        self, event: Event, digest: Callable[[], int], memory: Callable[[], bytes]
    ) -> None:
        self.events.append(event.digest)
        number = len(self.events)
        if self._points is None:
            begin = time.perf_counter()
            if begin >= self._time or event.kind == "end":
                self.memories[number] = digest()
                end = time.perf_counter()
                self._time = end + (end - begin) / MEMORY_SHARE
        elif number == self._next or event.kind == "end":
            self.memories[number] = digest()
            self._next = next(self._points, 0) if number == self._next else self._next
        if number == self._stop:
            raise _Stop


class _Comparison:
    """The comparison of an engine's events with those of a recording.

    Attributes:
        number: the number of events compared.
        good: the last event after which memory was the same, and all events before.
        different: whether the last event, or the memory after it, differs.
    """

    def __init__(self, recording: _Recording) -> None:
        self._recording = recording
        self.number = self.good = 0
        self.different = False

    def __call__(
        self, event: Event, digest: Callable[[], int], memory: Callable[[], bytes]
    ) -> None:
        number = self.number = self.number + 1
        events, memories = self._recording.events, self._recording.memories
        same = number <= len(events) and events[number - 1] == event.digest
        if same and number in memories:
            same = memories[number] == digest()
            if same:
                self.good = number
        self.different = not same
        if not same or number == len(events):
            raise _Stop


class _Capture:
    """The event with a certain number, and the state of the engine at that event."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._count = 0
        self.active: list[Event] = []
        self.event = Event("end", -1, ("nothing",))
        self.memory = b""

    def __call__(
        self, event: Event, digest: Callable[[], int], memory: Callable[[], bytes]
    ) -> None:
        self._count += 1
        if self._count == self._number:
            self.event, self.memory = event, memory()
            raise _Stop
        if event.kind == "enter":
            self.active.append(event)
        elif event.kind == "leave":
            self.active.pop()
        else:
            self.active.clear()


def _run(engine: str | Engine, subject: Subject, observe: Observer) -> float:
    begin = time.perf_counter()
    with contextlib.suppress(_Stop):
        _Side(engine, subject, observe).run()
    return time.perf_counter() - begin


def first_difference(
    data: bytes,
    calls: Sequence[Call],
    engines: Sequence[str | Engine] = ENGINES[:2],
    *,
    host: Callable[[Memory], HostFunctions] = lambda memory: {},
    report: Callable[[str], None] = lambda line: None,
) -> Difference | None:
    """Run the same calls on two engines.

    Args:
        data: a valid module. It may import functions only.
        calls: the calls from outside in order; `_initialize`, if exported, is called before them.
        engines: two of `ENGINES`, or engines of ours; the second one is the reference.
        host: makes host functions out of the memory; what it does not provide is WASI's, or answers
            zero.
        report: called with the progress as text.

    Returns:
        The first difference, or None.

    Raises:
        WasmError: the module cannot be run like this, or the two runs of an engine differ.
    """
    subject = Subject(load(data).module, traced(data), tuple(calls), host)
    engine, reference = engines
    points: range | None = None
    stop: int | None = None
    while True:
        recording = _Recording(points, stop)
        seconds = _run(reference, subject, recording)
        report(f"{reference}: {len(recording.events):,} calls and returns in {seconds:.1f} s")
        comparison = _Comparison(recording)
        seconds = _run(engine, subject, comparison)
        good, last = comparison.good, comparison.number
        if not comparison.different:
            if stop is not None:
                raise WasmError("a difference was there only once: the program is not the same")
            report(f"{engine}: the same in {seconds:.1f} s")
            return None
        report(f"{engine}: differs between number {good + 1:,} and {last:,}, {seconds:.1f} s")
        if last - good == 1 or (points is not None and points.step == 1):
            break
        stop = last
        points = range(good + 1, last + 1, (last - good - 1) // MEMORY_LOOKS + 1)
    return _captured(subject, engines, last)


def _captured(subject: Subject, engines: Sequence[str | Engine], number: int) -> Difference:
    captures = [_Capture(number) for _ in engines]
    for engine, capture in zip(engines, captures, strict=True):
        _run(engine, subject, capture)
    first, second = captures
    address: int | None = None
    if first.memory != second.memory:
        pairs = enumerate(zip(first.memory, second.memory, strict=False))
        ends = min(len(first.memory), len(second.memory))
        address = next((at for at, (here, there) in pairs if here != there), ends)
    shown = slice(address, address + SHOWN_BYTES) if address is not None else slice(0)
    return Difference(
        number,
        tuple(reversed(first.active)),
        (first.event, second.event),
        address,
        (first.memory[shown], second.memory[shown]),
    )


def described(difference: Difference, module: Module, engines: Sequence[str]) -> list[str]:
    """Describe a difference in lines of text."""
    names = dict(read_names(module).functions)
    for export in module.exports:
        if export.kind is ExternKind.FUNCTION:
            names.setdefault(export.index, export.name)

    def named(index: int) -> str:
        return f"function {index} ({names[index]})" if index in names else f"function {index}"

    def values(event: Event) -> str:
        if event.kind == "end":
            return " ".join(map(str, event.values))
        types = module.function_type(event.function)
        kinds = types.params if event.kind == "enter" else types.results
        plain = ValType.V128 not in kinds
        return ", ".join(
            f"{kind} {_shown(value)}" if plain else _shown(value)
            for kind, value in zip(kinds if plain else event.values, event.values, strict=True)
        )

    def said(event: Event) -> str:
        if event.kind == "end":
            return f"the call from outside {values(event)}"
        if event.kind == "enter":
            return f"calls {named(event.function)} with ({values(event)})"
        return f"returns ({values(event)}) from {named(event.function)}"

    lines = [f"{difference.number - 1:,} calls and returns are the same. Then it differs"]
    for index, event in enumerate(difference.active[:8]):
        word = "in" if index == 0 else "called by"
        lines.append(f"  {word} {named(event.function)}, called with ({values(event)})")
    width = max(map(len, engines)) + 1
    if difference.events[0] == difference.events[1]:
        lines.append(f"  {'both:':{width}} {said(difference.events[0])}")
    else:
        for engine, event in zip(engines, difference.events, strict=True):
            lines.append(f"  {engine + ':':{width}} {said(event)}")
    if difference.address is not None:
        lines.append(f"  memory from {difference.address:#x} on:")
        for engine, found in zip(engines, difference.memories, strict=True):
            lines.append(f"  {engine + ':':{width}} {found.hex(' ')}")
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 9:
        return f"{value} ({value & ((1 << 64) - 1 if abs(value) >> 32 else 0xFFFFFFFF):#x})"
    return str(value)


def _argument(text: str) -> int | float | str:
    for convert in (lambda text: int(text, 0), float):
        try:
            number: int | float = convert(text)
        except ValueError:
            continue
        return number
    return text


def calls_of(words: Sequence[str]) -> list[Call]:
    """Parse the words of a command line to calls: `EXPORT ARGUMENT … then EXPORT ARGUMENT …`."""
    calls: list[list[str]] = [[]]
    for word in words:
        if word == "then":
            calls.append([])
        else:
            calls[-1].append(word)
    return [Call(name, tuple(map(_argument, given))) for name, *given in calls]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lockstep", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("file", type=Path, help="a module")
    parser.add_argument(
        "call",
        nargs="+",
        help="an export and its arguments: numbers, or text, whose address is given; "
        "'then' stands before a further call",
    )
    parser.add_argument(
        "--engines", nargs=2, choices=ENGINES, default=list(ENGINES[:2]), metavar="NAME"
    )
    parser.add_argument(
        "--host",
        metavar="MODULE:FUNCTION",
        help="a function that takes the memory, which has read and write, and returns host "
        "functions: {module: {name: callable}}",
    )
    options = parser.parse_args(arguments)
    host: Callable[[Memory], HostFunctions] = lambda memory: {}  # noqa: E731
    if options.host:
        module_name, _, function = options.host.partition(":")
        host = getattr(importlib.import_module(module_name), function)
    data = options.file.read_bytes()

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        difference = first_difference(
            data, calls_of(options.call), options.engines, host=host, report=report
        )
    except WasmError as error:
        parser.error(f"{options.file}: {error}")
    if difference is None:
        print("They are the same.")
        return 0
    print("\n".join(described(difference, load(data).module, options.engines)))
    return 1


if __name__ == "__main__":
    sys.exit(main())
