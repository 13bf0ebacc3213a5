"""Expressions over the state of a machine: text in, a value or an `ExpressionError` out.

The text is parsed as Python and never run as Python: the syntax tree is evaluated here, with the
few kinds of node that a condition needs. It reaches no attribute, no name and no loop that is not
in this file.

`local`, `stack` and `global_` hold the values of the current function, `stack[-1]` being the top of
its operands; locals and globals go by index, by name in brackets, or by name behind a dot. `$name`
is the local, else the global, else the function of that name in the text format. `memory[address]`
is a byte, `memory[start:end]` bytes, and `i32(address)` and the like a value.

A condition may be evaluated millions of times, in a session without a deadline: so an expression
takes `MAX_WORK` at most, and its numbers have `MAX_BITS`.
"""

from __future__ import annotations

import ast
import operator
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from purewasm_plugins.debugger.errors import ExpressionError, LocationError
from purewasm_plugins.debugger.memory import check_range

#: The longest expression, the deepest nesting of its parts, and the most bytes that one part may
#: read from memory.
MAX_LENGTH, MAX_NESTING, MAX_BYTES = 1000, 100, 1 << 20

#: The most work of one evaluation. A unit is a part of the expression, an item of a sequence, or so
#: many bytes that are copied, searched or compared at once, or decoded. All take some 50 ms.
MAX_WORK, _BYTES_PER_UNIT, _DECODED_PER_UNIT = 50_000, 4096, 64

#: The longest number of a calculation; the longest of a machine has 128.
MAX_BITS = 4096

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_FORMATS = {
    "u8": "<B",
    "i8": "<b",
    "u16": "<H",
    "i16": "<h",
    "u32": "<I",
    "i32": "<i",
    "u64": "<Q",
    "i64": "<q",
    "f32": "<f",
    "f64": "<d",
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": len,
    "abs": abs,
    "min": min,
    "max": max,
    "bool": bool,
    "chr": chr,
    "ord": ord,
    "hex": hex,
}
_NAMES = ("local", "stack", "global_", "memory")

#: A string, which is left alone, or a `$name`; one with other characters is written `$"name"`.
_DOLLAR_NAME = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\$(?:"(?P<quoted>[^"\\]+)"|(?P<name>[\w.:@]+))"""
)

#: The function that a `$name` becomes a call of; a name that no expression can contain otherwise.
_NAMED = "named_"


class Scope(Protocol):
    """The values that an expression can read."""

    @property
    def local(self) -> Mapping[int | str, Any]:
        """The locals of the current function, by index and by name."""
        ...

    @property
    def stack(self) -> Sequence[Any]:
        """The operands of the current function, topmost last."""
        ...

    @property
    def global_(self) -> Mapping[int | str, Any]:
        """The globals, by index and by name."""
        ...

    @property
    def memory(self) -> bytes | bytearray:
        """The bytes of memory 0; empty where there is none."""
        ...

    def function(self, name: str) -> Any:
        """Return the function of a name, or None."""
        ...


class Expression:
    """An expression that was parsed and checked."""

    def __init__(self, text: str) -> None:
        """Parse an expression.

        Raises:
            ExpressionError: it is no expression, or contains what is not available.
        """
        self.text = text
        if len(text) > MAX_LENGTH:
            raise ExpressionError(text[:20] + "…", f"longer than {MAX_LENGTH} characters")
        try:
            self._tree = ast.parse(_DOLLAR_NAME.sub(_call_of_name, text.strip()), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            message = error.msg if isinstance(error, SyntaxError) else str(error)
            raise ExpressionError(text, f"not a Python expression: {message}") from None
        level: list[ast.AST] = [self._tree]
        for _ in range(MAX_NESTING):
            for node in level:
                self._check(node)
            level = [child for node in level for child in ast.iter_child_nodes(node)]
        if level:
            raise ExpressionError(text, f"nested deeper than {MAX_NESTING} levels")

    def evaluate(self, scope: Scope) -> Any:
        """Return the value of the expression in a scope; of memory as a whole, a copy.

        Raises:
            ExpressionError: it has no value.
        """
        try:
            return _Evaluation(scope).result(self._tree)
        except ExpressionError as error:
            raise ExpressionError(self.text, error.details) from None
        except ZeroDivisionError:
            raise ExpressionError(self.text, "division by zero") from None
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise ExpressionError(self.text, str(error)) from None

    def _check(self, node: ast.AST) -> None:
        """Check that `_Evaluation` can evaluate a node."""
        if isinstance(node, ast.Name) and node.id not in (*_NAMES, *_FUNCTIONS, *_FORMATS):
            if node.id not in ("string", _NAMED):
                known = ", ".join(_NAMES)
                raise ExpressionError(self.text, f"there is no '{node.id}' here; there is: {known}")
        elif isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            raise ExpressionError(self.text, "only functions like i32(address) can be called")
        elif isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in ("local", "global_")
        ):
            raise ExpressionError(self.text, "a dot can follow 'local' and 'global_' only")
        elif isinstance(node, (ast.BinOp, ast.UnaryOp)) and type(node.op) not in (
            *_BINARY,
            *_UNARY,
        ):
            raise ExpressionError(self.text, "this operator is not available")
        elif not isinstance(node, _NODES):
            raise ExpressionError(self.text, f"{type(node).__name__} is not available")

    def __repr__(self) -> str:
        return f"<Expression {self.text}>"


_NODES = (
    ast.Expression,
    ast.BoolOp,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.IfExp,
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Call,
    ast.Tuple,
    ast.List,
    ast.expr_context,
    ast.boolop,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
)


def _call_of_name(match: re.Match[str]) -> str:
    """Convert a `$name` to a call that Python can parse."""
    if match["string"] is not None:
        return match["string"]
    return f"{_NAMED}({match['quoted'] or match['name']!r})"


class _Evaluation:
    """One evaluation of an expression, and its work so far.

    Each method returns the value of a node, or raises `ExpressionError` without a text.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._work = 0

    def result(self, node: ast.expr) -> Any:
        """Return the value of the whole expression; of memory, which changes, a copy."""
        value = self.value(node)
        self._spend_on(value)
        return _copied(value)

    def _spend(self, work: int) -> None:
        """Count work before it is done."""
        self._work += work
        if self._work > MAX_WORK:
            raise ExpressionError("", f"it takes more than {MAX_WORK} units of work")

    def _spend_on(self, *values: Any) -> None:
        """Count the work of copying, searching or comparing values and their contents."""
        for value in values:
            if isinstance(value, (int, float)):
                # Most values are numbers, and the test for a sequence takes long.
                continue
            if isinstance(value, (bytes, bytearray, str)):
                self._spend(len(value) // _BYTES_PER_UNIT)
            elif isinstance(value, (Sequence, Mapping)):
                self._spend(len(value))
                if isinstance(value, tuple):
                    self._spend_on(*value)

    def value(self, node: ast.expr) -> Any:
        """Return the value of a node."""
        self._spend(1)
        match node:
            case ast.Constant(value):
                return _bounded(value)
            case ast.Name(name):
                return getattr(self._scope, name) if name in _NAMES else _refuse(name)
            case ast.Attribute(ast.Name(name), attribute):
                return self._named(getattr(self._scope, name), attribute, name)
            case ast.Subscript(value, slice):
                return self._item(value, slice)
            case ast.BoolOp(op, values):
                return self._boolean(isinstance(op, ast.And), values)
            case ast.UnaryOp(op, operand):
                return _UNARY[type(op)](self.value(operand))
            case ast.BinOp(left, op, right):
                return self._binary(op, self.value(left), self.value(right))
            case ast.Compare(left, operators, comparators):
                return self._compare(left, operators, comparators)
            case ast.IfExp(test, body, orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Tuple(items) | ast.List(items):
                return tuple(self.value(item) for item in items)
            case ast.Call(ast.Name(name), arguments, []):
                return self._call(name, [self.value(argument) for argument in arguments])
        raise ExpressionError("", f"{type(node).__name__} is not available here")

    def _boolean(self, conjunction: bool, values: list[ast.expr]) -> Any:
        result: Any = None
        for node in values:
            result = self.value(node)
            if bool(result) is not conjunction:
                break
        return result

    def _compare(
        self, left: ast.expr, operators: list[ast.cmpop], comparators: list[ast.expr]
    ) -> bool:
        first = self.value(left)
        for op, node in zip(operators, comparators, strict=True):
            second = self.value(node)
            self._spend_on(first, second)
            if not _COMPARISONS[type(op)](first, second):
                return False
            first = second
        return True

    def _item(self, node: ast.expr, index: ast.expr) -> Any:
        container = self.value(node)
        name = node.id if isinstance(node, ast.Name) else ""
        if name == "memory":
            if not isinstance(index, ast.Slice):
                return self._read(self.value(index), 1)[0]
            start = 0 if index.lower is None else self.value(index.lower)
            end = len(container) if index.upper is None else self.value(index.upper)
            return self._read(start, end - start)
        if isinstance(index, ast.Slice):
            bounds = [None if b is None else self.value(b) for b in (index.lower, index.upper)]
            self._spend_on(container)
            return container[bounds[0] : bounds[1]]
        if name in ("local", "global_"):
            return self._named(container, self.value(index), name)
        return container[self.value(index)]

    def _named(self, values: Mapping[int | str, Any], key: Any, name: str) -> Any:
        """Return the local or global of an index or name."""
        if key not in values:
            known = ", ".join(str(k) for k in values) or "none"
            kind = name.rstrip("_")
            raise ExpressionError("", f"there is no {kind} {key} here; there is: {known}")
        return values[key]

    def _read(self, address: Any, size: int) -> bytes:
        """Return bytes of memory; an address may be signed, as the values of a machine are."""
        if not 0 <= size <= MAX_BYTES:
            raise ExpressionError("", f"{size} bytes cannot be read at once")
        start = self._checked(address, size)
        self._spend(size // _BYTES_PER_UNIT)
        return bytes(self._scope.memory[start : start + size])

    def _checked(self, given: Any, size: int) -> int:
        """Return an address as an unsigned number, if so many bytes there are in memory."""
        if not isinstance(given, int):
            raise ExpressionError("", f"that is no address: it is {given!r}")
        address: int = given if given >= 0 else given & 0xFFFFFFFF
        try:
            check_range(len(self._scope.memory), address, size)
        except LocationError as error:
            raise ExpressionError("", f"at {address:#x}, {error.details}") from None
        return address

    def _call(self, name: str, arguments: list[Any]) -> Any:
        if name == _NAMED:
            return self._dollar_name(arguments[0])
        if name in _FORMATS or name == "string":
            if len(arguments) != 1:
                raise ExpressionError("", f"{name}() takes one address")
            if name == "string":
                return self._string(arguments[0])
            format = _FORMATS[name]
            return struct.unpack(format, self._read(arguments[0], struct.calcsize(format)))[0]
        if name in ("min", "max"):
            # The items of one value are compared, or several values.
            self._spend(sum(len(value) for value in arguments if isinstance(value, Sequence)))
            self._spend_on(*arguments)
        return _FUNCTIONS[name](*arguments)

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        whole_memory = isinstance(left, bytearray) or isinstance(right, bytearray)
        if not numbers and (whole_memory or not isinstance(op, ast.Add)):
            # "x" * 10**9, "%1000000000d" % 1 and memory + memory could fill the host's memory.
            raise ExpressionError("", "only numbers can be calculated with")
        if isinstance(op, ast.LShift) and not (isinstance(right, int) and 0 <= right <= MAX_BITS):
            raise ExpressionError("", f"a shift is by 0 to {MAX_BITS}")
        self._spend_on(left, right)
        return _bounded(_BINARY[type(op)](left, right))

    def _string(self, address: Any) -> str:
        """Return the null-terminated string at an address, like those of the plugin ABI."""
        start = self._checked(address, 0)
        memory = self._scope.memory
        end = memory.find(0, start, start + MAX_BYTES)
        if end < 0:
            raise ExpressionError("", f"the string at {start:#x} has no terminating zero byte")
        self._spend((end - start) // _DECODED_PER_UNIT)
        return bytes(memory[start:end]).decode("utf-8", "replace")

    def _dollar_name(self, name: str) -> Any:
        """Return the local, else the global, else the function of a name; `$0` is a local."""
        scope = self._scope
        if name.isascii() and name.isdigit():
            return self._named(scope.local, int(name), "local")
        for values in (scope.local, scope.global_):
            if name in values:
                return values[name]
        function = scope.function(name)
        if function is None:
            locals_ = ", ".join(f"${key}" for key in scope.local if isinstance(key, str)) or "none"
            raise ExpressionError(
                "", f"no local, global or function is called ${name}; the locals are: {locals_}"
            )
        return function


def _copied(value: Any) -> Any:
    """Copy what is of memory in a value."""
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    return bytes(value) if isinstance(value, bytearray) else value


def _refuse(name: str) -> Any:
    raise ExpressionError("", f"'{name}' is a function: write {name}(…)")


def _bounded(value: Any) -> Any:
    """Return a value, unless it is a number of more than `MAX_BITS`."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError("", f"a number has more than {MAX_BITS} bits")
    return value
