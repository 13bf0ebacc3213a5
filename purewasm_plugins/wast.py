"""Running of scripts: the specification's test suite, as its own `.wast` files have it.

`run_script` carries out the commands that `wasm.text.script` reads, and says what is wrong with
each. It reads no file and prints nothing.
"""

from __future__ import annotations

from purewasm_plugins.engine.instantiate import engine_named, instantiate
from purewasm_plugins.engine.protocol import Engine
from purewasm_plugins.errors import (
    DecodeError,
    LinkError,
    TextError,
    Trap,
    ValidationError,
    WasmError,
)
from purewasm_plugins.runtime.instance import Function, Global, Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.runtime.table import Table
from purewasm_plugins.runtime.values import (
    f32_from_bits,
    f32_to_bits,
    f64_from_bits,
    f64_to_bits,
)
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Any, Callable, Iterator, Mapping
from purewasm_plugins.wasm import ValidModule, load
from purewasm_plugins.wasm.text.script import (
    Action,
    Command,
    Constant,
    Either,
    Reference,
    read_script,
)
from purewasm_plugins.wasm.types import (
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)

__all__ = ["HostReference", "Outcome", "run_script", "spectest"]


class Outcome(Record):
    """How a command of a script went.

    Attributes:
        line: its line, from 1 on.
        kind: its keyword.
        fault: what is wrong, or None.
    """

    line: int
    kind: str
    fault: str | None


class HostReference(Record):
    """An object of the host, as scripts have them: an externref with a number."""

    number: int


def run_script(
    text: str, *, engine: str | Engine | None = None, limits: ResourceLimits | None = None
) -> Iterator[Outcome]:
    """Run a script, one command at a time.

    Args:
        text: the script, as a `.wast` file has it.
        engine: the name of an engine, or an engine; None for the default.
        limits: what each instance may use; None for the defaults of `ResourceLimits`.

    Yields:
        How each command went. A text that is no script ends with an outcome of the kind "script".

    Raises:
        UnknownEngineError: there is no such engine, or it cannot run here.

    Example:
        >>> text = '(module (func (export "one") (result i32) (i32.const 1)))'
        >>> text += '(assert_return (invoke "one") (i32.const 2))'
        >>> [outcome.fault for outcome in run_script(text)]
        [None, 'expected i32 2, got i32 1']
    """
    world = _World(engine_named(engine), limits)
    commands = read_script(text)
    while True:
        try:
            command = next(commands, None)
        except TextError as error:
            yield Outcome(error.line, "script", error.message)
            return
        if command is None:
            return
        yield Outcome(command.line, command.kind, world.run(command))


def spectest() -> dict[str, Any]:
    """Return the host module that the suite imports from."""
    i32, i64, f32, f64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
    printers = {
        "print": (),
        "print_i32": (i32,),
        "print_i64": (i64,),
        "print_f32": (f32,),
        "print_f64": (f64,),
        "print_i32_f32": (i32, f32),
        "print_f64_f64": (f64, f64),
    }
    return {
        **{
            name: Function(FuncType(params), lambda *arguments: None, name=name)
            for name, params in printers.items()
        },
        "global_i32": Global(GlobalType(i32), 666),
        "global_i64": Global(GlobalType(i64), 666),
        "global_f32": Global(GlobalType(f32), 666.6),
        "global_f64": Global(GlobalType(f64), 666.6),
        "table": Table(TableType(ValType.FUNCREF, Limits(10, 20))),
        "memory": Memory(MemoryType(Limits(1, 2))),
    }


class _ScriptError(Exception):
    """A command cannot be carried out; the text is the reason."""


def _missing(name: str | None) -> _ScriptError:
    return _ScriptError("there is no module" + ("" if name is None else f" ${name}"))


class _World:
    """The modules that a script has instantiated."""

    def __init__(self, engine: Engine, limits: ResourceLimits | None) -> None:
        self._engine = engine
        self._limits = limits
        self._imports: dict[str, Mapping[str, Any]] = {"spectest": spectest()}
        #: By name; the last ones are under None.
        self._instances: dict[str | None, Instance] = {}
        self._definitions: dict[str | None, ValidModule] = {}

    def run(self, command: Command) -> str | None:
        """Carry out a command; return what is wrong, or None."""
        run = _RUNNERS.get(command.kind)
        if run is None:
            return command.text or f"{command.kind} is not supported"
        try:
            return run(self, command)
        except (WasmError, _ScriptError, TypeError, ValueError) as error:
            return str(error)

    # Modules

    def _module(self, command: Command) -> None:
        source = _required(command.module)
        # Where the module fails, later commands must not use the one before it.
        self._forget(source.name)
        self._keep(self._instantiate(load(source.data())), source.name)

    def _definition(self, command: Command) -> None:
        source = _required(command.module)
        self._definitions[source.name] = self._definitions[None] = load(source.data())

    def _instance(self, command: Command) -> None:
        self._forget(command.name)
        definition = self._definitions.get(command.of)
        if definition is None:
            raise _missing(command.of)
        self._keep(self._instantiate(definition), command.name)

    def _register(self, command: Command) -> None:
        self._imports[command.name or ""] = self._named(command.of).exports

    def _instantiate(self, module: ValidModule) -> Instance:
        return instantiate(module, self._imports, engine=self._engine, limits=self._limits)

    def _forget(self, name: str | None) -> None:
        self._instances.pop(None, None)
        self._instances.pop(name, None)

    def _keep(self, instance: Instance, name: str | None) -> None:
        self._instances[None] = instance
        if name is not None:
            self._instances[name] = instance

    def _named(self, name: str | None) -> Instance:
        instance = self._instances.get(name)
        if instance is None:
            raise _missing(name)
        return instance

    # Actions

    def _act(self, action: Action) -> list[Any]:
        """Use an export; return the values that come out of it."""
        exported = self._named(action.module).exports[action.field]
        if action.kind == "get":
            if not isinstance(exported, Global):
                raise _ScriptError(f"the export '{action.field}' is no global")
            return [exported.value]
        if not isinstance(exported, Function):
            raise _ScriptError(f"the export '{action.field}' is no function")
        result = exported.call_raw(*map(_raw, action.arguments))
        match len(exported.type.results):
            case 0:
                return []
            case 1:
                return [result]
        return list(result)

    def _action(self, command: Command) -> None:
        self._act(_required(command.action))

    def _assert_return(self, command: Command) -> str | None:
        values = self._act(_required(command.action))
        expected = command.expected
        if len(values) == len(expected) and all(map(_matches, expected, values)):
            return None
        wanted = ", ".join(map(_shown, expected)) or "no result"
        got = ", ".join(map(_shown_value, expected, values)) or "none"
        if len(values) != len(expected):
            got = f"{len(values)} results"
        return f"expected {wanted}, got {got}"

    def _assert_trap(self, command: Command) -> str | None:
        action = _required(command.action)
        return _refused(command.text, Trap, lambda: self._act(action))

    # Assertions about modules

    def _assert_malformed(self, command: Command) -> str | None:
        source = _required(command.module)
        return _refused(command.text, (TextError, DecodeError), lambda: load(source.data()))

    def _assert_invalid(self, command: Command) -> str | None:
        source = _required(command.module)
        # A module that has no binary form, such as one with an offset of 2^32, counts as invalid.
        errors = (TextError, DecodeError, ValidationError)
        return _refused(command.text, errors, lambda: load(source.data()))

    def _assert_unlinkable(self, command: Command) -> str | None:
        module = load(_required(command.module).data())
        return _refused(command.text, LinkError, lambda: self._instantiate(module))

    def _assert_uninstantiable(self, command: Command) -> str | None:
        module = load(_required(command.module).data())
        return _refused(command.text, Trap, lambda: self._instantiate(module))


def _required(part: Any) -> Any:
    """Return a part of a command that commands of its kind have."""
    if part is None:
        raise _ScriptError("the command lacks a part")
    return part


def _refused(
    text: str,
    errors: type[WasmError] | tuple[type[WasmError], ...],
    do: Callable[[], object],
) -> str | None:
    """Return what is wrong with a refusal, which must be of a kind; None where it is right.

    The wording counts only for traps: the suite prescribes it for nothing else.
    """
    try:
        do()
    except errors as error:
        if isinstance(error, Trap) and not (
            # The suite may say more, such as which element it is that is uninitialized.
            text in str(error) or text.startswith(error.reason.value)
        ):
            return f"expected '{text}', got '{error}'"
        return None
    return f"expected '{text}', and it succeeded"


# Values


def _raw(value: Constant | Reference | Either) -> Any:
    """Return an argument as the engines hold it."""
    match value:
        case Reference(kind="null"):
            return None
        case Reference(kind="extern" | "host", number=int(number)):
            return HostReference(number)
        case Constant(type=ValType.V128):
            size = value.bits // 8
            return b"".join(int(lane).to_bytes(size, "little") for lane in value.lanes)
        case Constant():
            return _FROM_BITS.get(value.type, int)(int(value.lanes[0]))
    raise _ScriptError(f"{_shown(value)} is no argument")


_FROM_BITS: dict[ValType, Callable[[int], Any]] = {
    ValType.F32: f32_from_bits,
    ValType.F64: f64_from_bits,
}

#: The bits of the canonical NaN, by the bits of a float.
_CANONICAL = {32: 0x7FC0_0000, 64: 0x7FF8_0000_0000_0000}


def _lanes(expected: Constant, value: Any) -> list[int] | None:
    """Return the bits of the lanes of a value; None for one of another type."""
    match expected.type:
        case ValType.V128 if isinstance(value, bytes):
            size = expected.bits // 8
            starts = range(0, len(value), size)
            return [int.from_bytes(value[at : at + size], "little") for at in starts]
        case ValType.F32 if isinstance(value, float):
            return [f32_to_bits(value)]
        case ValType.F64 if isinstance(value, float):
            return [f64_to_bits(value)]
        case ValType.I32 | ValType.I64 if isinstance(value, int):
            return [value & (1 << expected.bits) - 1]
    return None


def _lane_matches(expected: int | str, bits: int, width: int) -> bool:
    if expected == "nan:canonical":
        return bits & ~(1 << width - 1) == _CANONICAL[width]
    if expected == "nan:arithmetic":
        return bits & _CANONICAL[width] == _CANONICAL[width]
    return bits == expected


def _matches(expected: Constant | Reference | Either, value: Any) -> bool:
    """Return whether a value is what a script expects."""
    match expected:
        case Either():
            return any(_matches(one, value) for one in expected.alternatives)
        case Reference(kind="null"):
            return value is None
        case Reference(kind="func"):
            return isinstance(value, Function)
        case Reference(kind="extern" | "host", number=None):
            return value is not None
        case Reference(kind="extern" | "host"):
            return bool(value == HostReference(expected.number or 0))
        case Reference():
            return False
    lanes = _lanes(expected, value)
    return (
        lanes is not None
        and len(lanes) == len(expected.lanes)
        and all(
            _lane_matches(lane, bits, expected.bits)
            for lane, bits in zip(expected.lanes, lanes, strict=True)
        )
    )


def _shown(value: Constant | Reference | Either) -> str:
    match value:
        case Either():
            return " or ".join(map(_shown, value.alternatives))
        case Reference():
            return f"ref.{value.kind}" + ("" if value.number is None else f" {value.number}")
    return f"{value.type} {' '.join(_shown_lane(value, lane) for lane in value.lanes)}"


def _shown_lane(value: Constant, lane: int | str) -> str:
    if isinstance(lane, str):
        return lane
    if value.type in _FROM_BITS:
        return f"{_FROM_BITS[value.type](lane)!r} ({lane:#x})"
    return str(lane) if value.type is not ValType.V128 else f"{lane:#x}"


def _shown_value(expected: Constant | Reference | Either, value: Any) -> str:
    """Return a value in words, in the form of what was expected."""
    if isinstance(expected, Constant):
        lanes = _lanes(expected, value)
        if lanes is not None:
            return _shown(Constant(expected.type, expected.bits, tuple(lanes)))
    return repr(value)


_RUNNERS: dict[str, Callable[[_World, Command], str | None]] = {
    "module": _World._module,
    "module definition": _World._definition,
    "module instance": _World._instance,
    "register": _World._register,
    "invoke": _World._action,
    "get": _World._action,
    "assert_return": _World._assert_return,
    "assert_trap": _World._assert_trap,
    "assert_exhaustion": _World._assert_trap,
    "assert_malformed": _World._assert_malformed,
    "assert_invalid": _World._assert_invalid,
    "assert_unlinkable": _World._assert_unlinkable,
    "assert_uninstantiable": _World._assert_uninstantiable,
}
