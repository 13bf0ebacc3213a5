"""The engine: an instance's namespace of generated functions, and the entries to them.

A function starts as a stub. On the first call, the stub translates the function, rebinds its name
in the namespace and calls it. All calls from outside of the namespace go through an entry, which
begins the call's budget, and turns exceptions of generated code into traps.
"""

from __future__ import annotations

import gc
import sys
from _operator import length_hint
from time import monotonic
from types import CodeType, FunctionType

from purewasm_plugins.cache.protocol import CodeCache
from purewasm_plugins.engine.translator import byte_operations
from purewasm_plugins.engine.translator.backtraces import TRAPPING, Backtraces
from purewasm_plugins.engine.translator.caching import ModuleCode
from purewasm_plugins.engine.translator.metering import LARGEST_SLICE, SlicedBudget
from purewasm_plugins.engine.translator.namespace import array_of_f32, namespace
from purewasm_plugins.engine.translator.stack import PYTHON_STACK, call_on_one_piece, height
from purewasm_plugins.engine.translator.translation import MEMORY_END, Effort
from purewasm_plugins.errors import OutOfMemory, Trap, TrapReason, WasmError
from purewasm_plugins.runtime.glue import entry_glue, host_glue
from purewasm_plugins.runtime.instance import Function, Global, Instance, discarded
from purewasm_plugins.runtime.memory import VIEWS
from purewasm_plugins.support.light import cache, once
from purewasm_plugins.support.typed import Any, Callable, Sequence
from purewasm_plugins.wasm.opcodes import OPCODES
from purewasm_plugins.wasm.types import PAGE_SIZE, FuncType, GlobalType

__all__ = ["Translator"]

Entry = Callable[..., Any]

#: A call from outside starts with what its predecessor left of a slice, 512 units at most, and
#: reserves stack only when it needs more. With so many frames below it, 512 more fit under Python's
#: default limit, even if each was called through C and so counts as three before Python 3.12.
_SHALLOW = 100
_LIMIT = 1000

#: The pending trap of a call for which Python had no room. That may have ended the iterator that
#: meters, as no other exception does: the calls around it must end, and the next one makes
#: another iterator.
_NO_ROOM = OutOfMemory()

#: Units of fuel after which the next call of the same entry has its frames on one piece: two
#: milliseconds, of which that takes half a percent.
_MANY_UNITS = 20_000

#: Every fourth call back, by these bits of the number of active entries, measures the height of
#: Python's stack when it begins, and reserves more: the frames of host functions add up.
_LIGHT = 3

#: References of one type after which a host function's glue is made for each indirect call.
_KEPT_REFERENCES = 10_000

#: Limits on the variables and operands in the frames of active functions: each takes some forty
#: bytes with its value. Functions with more than the first number are counted, and may have the
#: second together. With 1000 other functions, a plugin's frames take 50 MB.
_MANY_SLOTS = 256
_MOST_SLOTS = 1_000_000


#: What a call out of the instance does around the glue of its signature.
_BEFORE_CALL = """\
if not budget.reserved:
    budget.reserve()
"""

#: The function may have suppressed the trap of a call back, or have taken long.
_AFTER_CALL = """\
deadline, operation = budget.deadline, budget.operation
if (
    budget.pending_trap is not None
    or budget.cancel_requested
    or (operation is not None and operation.cancelled)
    or (deadline is not None and monotonic() >= deadline)
):
    budget.check()
    budget.check_limits()
"""


@once
def _vector_names() -> dict[str, str]:
    """Return the names of the functions of vector instructions, each with its mnemonic."""
    mnemonics = [opcode.mnemonic for opcode in OPCODES if opcode.code >> 8 == 0xFD]
    return {mnemonic.replace(".", "_"): mnemonic for mnemonic in mnemonics}


@cache
def _stubs(params: int) -> Callable[..., Entry]:
    """Return what makes the stub of a function with a number of parameters.

    A stub with `*arguments` would fit any number, but before Python 3.12 that is a call through C:
    all functions that call each other for the first time would have to fit on the stack of C.
    """
    names = ", ".join([f"l{index}" for index in range(params)])
    text = f"lambda begin, end, index: lambda {names}: end(begin(index)({names}))"
    maker: Callable[..., Entry] = eval(text, {"__builtins__": {}})
    return maker


class Translator:
    """An engine that translates WebAssembly functions to Python functions."""

    name = "translator"

    #: Whether translated functions check each claim of the translator's; tests turn it on.
    audited = False

    def __init__(self, *, cache: CodeCache | None = None, metered: bool = True) -> None:
        """Choose how functions are translated.

        Args:
            cache: what keeps the code of translated functions.
            metered: whether calls use fuel and can be stopped; only comparisons turn it off.
        """
        self._cache = cache
        self._metered = metered

    def link(self, instance: Instance) -> Sequence[Entry]:
        """Return the entry of each function that the instance's module defines; see `Engine`."""
        # A host's region counts towards the same limit.
        bounded = all(memory.page_limit * PAGE_SIZE <= MEMORY_END for memory in instance.memories)
        code = ModuleCode.of(instance.module, self._metered, bounded, self.audited, self._cache)
        return _Linked(instance, code).entries()


class _NamespaceGlobal(Global):
    """A global that only its module can reach: its value is in the namespace."""

    __slots__ = ("_name", "_namespace")

    def __init__(self, type: GlobalType, raw: Any, namespace: dict[str, Any], name: str) -> None:
        self._namespace = namespace
        self._name = name
        self.type = type
        self.raw = raw

    @property
    def raw(self) -> Any:
        """The value as engines hold it."""
        return self._namespace[self._name]

    @raw.setter
    def raw(self, value: Any) -> None:
        self._namespace[self._name] = value


class _Signature(dict[Function | None, Entry]):
    """The Python functions that `call_indirect` of one type calls, by reference."""

    def __init__(self, linked: _Linked, type: FuncType) -> None:
        self._linked = linked
        self._type = type

    def __missing__(self, reference: Function | None) -> Entry:
        if reference is None:
            raise Trap(TrapReason.UNINITIALIZED_ELEMENT)
        if reference.type != self._type:
            raise Trap(TrapReason.INDIRECT_CALL_TYPE_MISMATCH)
        if reference.instance is self._linked.instance and reference.index is not None:
            name = f"f{reference.index}"
            callee: Entry = self._linked.namespace[name]
            if self._linked.is_translated(reference.index):
                self[reference] = callee
            return callee
        function = self._linked.foreign(reference)
        # What is made of a host function never changes. The host may make any number of them.
        if reference.host is not None and len(self) < _KEPT_REFERENCES:
            self[reference] = function
        return function


class _Discarded(dict[Function | None, Entry]):
    """What an instance that was discarded has as its signatures: a call of it may still run."""

    def __missing__(self, reference: Function | None) -> Entry:
        return discarded


_DISCARDED = _Discarded()


class _Linked:
    """An instance, its namespace and its budget."""

    def __init__(self, instance: Instance, code: ModuleCode) -> None:
        self.instance = instance
        self.namespace = space = namespace()
        self._code = code
        self._translated: dict[int, Entry] = {}
        self._codes: dict[int, CodeType] = {}
        self._backtraces = Backtraces(instance, space, code)
        progress = instance.budget.progress
        self._budget = instance.budget = SlicedBudget(instance.limits)
        self._budget.progress = progress
        instance.unlink = self._unlink
        budget = self._budget
        self._effort = Effort(
            instance.limits.translated_characters,
            lambda seconds: budget.check_limits(0, seconds),
        )
        self._fill()

    def _fill(self) -> None:
        instance, space = self.instance, self.namespace
        module = instance.module.module
        space["budget"] = self._budget.iterator
        space["spend"] = self._budget.spend
        space["grant"] = self._budget.grant
        for index, function in enumerate(instance.functions):
            make = _stubs(len(function.type.params))
            imported = index < module.imported_functions
            begin = self._begin_first_import if imported else self._begin_first_call
            space[f"f{index}"] = make(begin, self._end_first_call, index)
        if instance.memories:
            space["linear_memory"] = instance.memories[0]
            space["memory"] = instance.memories[0].raw
            # Made with the first function that has it. A new name would make all others slower for
            # some time, as CPython caches where they are.
            space.update(dict.fromkeys(VIEWS))
        for index, table in enumerate(instance.tables):
            space[f"table{index}"] = table
            space[f"elements{index}"] = table.elements
        if self._code.audited:
            from purewasm_plugins.engine.translator.audit import NAMES

            space.update(NAMES)
        private = module.private_globals
        for index, cell in enumerate(instance.globals):
            if index in private:
                instance.globals[index] = _NamespaceGlobal(cell.type, cell.raw, space, f"g{index}")
            elif cell.type.mutable:
                space[f"global{index}"] = cell
            else:
                space[f"g{index}"] = cell.raw
        space["functions"] = instance.functions
        space["data_segments"] = instance.data_segments
        space["element_segments"] = instance.element_segments
        if instance.tables:
            for index, type in enumerate(module.types):
                space[f"signature{index}"] = _Signature(self, type)

    def _unlink(self) -> None:
        """Take the functions out of the namespace: they and the namespace refer to each other."""
        space = self.namespace
        for index in range(len(self.instance.functions)):
            space[f"f{index}"] = discarded
        for index in range(len(self.instance.module.module.types)):
            space[f"signature{index}"] = _DISCARDED
        self._translated.clear()
        self._code.give_back(self._codes)
        self._codes = {}
        # Its traceback refers to the frames of the call that it ended.
        self._budget.pending_trap = None

    # Functions of the namespace

    def is_translated(self, index: int) -> bool:
        """Return whether a function has been translated."""
        return index in self._translated

    def _begin_first_call(self, index: int) -> Entry:
        """Translate a function, and prepare the budget for the stub's frame."""
        budget = self._budget
        budget.reserve()
        function = self._translated.get(index)
        # One of the operands may have been a call of the same function.
        if function is None:
            # Translating makes many objects without cycles: the collector, run every 700 objects,
            # would take a sixth of the time.
            collecting = gc.isenabled()
            try:
                gc.disable()
                function = self._translate(index)
            except TRAPPING as error:
                # A bug of the translator, which must not look like a trap.
                message = f"function {index} cannot be translated: {type(error).__name__}: {error}"
                raise WasmError(message) from error
            finally:
                if collecting:
                    gc.enable()
        # The stub's frame stays below that of the function.
        budget.floor += 1
        return function

    def _begin_first_import(self, index: int) -> Entry:
        """Make the glue of an imported function, and prepare the budget for the stub's frame."""
        self._budget.reserve()
        function = self.foreign(self.instance.functions[index])
        self.namespace[f"f{index}"] = function
        self._budget.floor += 1
        return function

    def _end_first_call(self, result: Any) -> Any:
        """Return the result of a first call: the stub's frame is gone.

        An exception skips this, but it ends the whole call from outside.
        """
        self._budget.floor -= 1
        return result

    def _translate(self, index: int) -> Entry:
        """Translate a function, and bind its name in the namespace to it."""
        space = self.namespace
        code = self._codes[index] = self._code.get(index, self._effort)
        for name in code.co_names:
            if name in VIEWS and space[name] is None:
                self.instance.memories[0].share_view(name, self)
            if name in space:
                continue
            if name == "rounded":
                space[name] = array_of_f32()
            elif name in byte_operations.FUNCTIONS:
                space[name] = byte_operations.FUNCTIONS[name]
            elif name in _vector_names():
                # Imported here: it takes milliseconds, and few plugins use vectors.
                from purewasm_plugins.engine.translator import simd

                space[name] = simd.FUNCTIONS[_vector_names()[name]]
        function: Entry = FunctionType(code, space)
        slots = code.co_nlocals + code.co_stacksize
        if slots > _MANY_SLOTS:
            function = self._counted(function, slots, code.co_argcount)
        space[f"f{index}"] = self._translated[index] = function
        return function

    def _counted(self, function: Entry, slots: int, params: int) -> Entry:
        """Wrap a function whose frame is large, so that the frames of active ones are limited."""
        budget = self._budget

        def begin(index: int) -> Entry:
            budget.reserve()
            if budget.slots + slots > _MOST_SLOTS:
                raise Trap(TrapReason.CALL_STACK_EXHAUSTED)
            budget.slots += slots
            budget.floor += 1
            return function

        def end(result: Any) -> Any:
            budget.slots -= slots
            budget.floor -= 1
            return result

        return _stubs(params)(begin, end, 0)

    def foreign(self, function: Function) -> Entry:
        """Return what generated code calls for a function of another instance, or of the host."""
        function = function.called_by(self.instance)
        type = function.type
        caller = function.caller
        own = not function.takes_caller or (caller and caller.instance is self.instance)
        if function.host is None or not own:
            make = entry_glue(len(type.params), _BEFORE_CALL, _AFTER_CALL)
            return make(function.entry, None, self._budget)
        make = host_glue(type, function.takes_caller, function.raw, _BEFORE_CALL, _AFTER_CALL)
        return make(function.host, caller, self._budget)

    # Entries

    def entries(self) -> list[Entry]:
        """Return an entry for each function that the module defines."""
        first = self.instance.module.module.imported_functions
        return [
            self._entry(f"f{index}")
            for index, function in enumerate(self.instance.functions)
            if index >= first
        ]

    def _entry(self, name: str) -> Entry:
        """Return what calls a function of the namespace from outside."""
        space = self.namespace
        budget = self._budget
        heights, dropped = budget.heights, budget.dropped
        limits = self.instance.limits
        timeout = limits.timeout
        short = limits.fuel is not None and limits.fuel < LARGEST_SLICE
        cached = self._code.cached
        metered = self._code.metered
        # A function that is not metered takes no slices, and so would never reserve stack.
        shallow = _SHALLOW if metered else 0
        get_limit, get_frame, stack = sys.getrecursionlimit, sys._getframe, PYTHON_STACK

        long = False

        def entry(*arguments: Any) -> Any:
            nonlocal long
            nesting = budget.nesting
            caught = None
            if not nesting:
                try:
                    budget.nesting = 1
                    if budget.pending_trap is not None:
                        self._recover()
                    budget.cancel_requested = False
                    bottom = heights[0]
                    try:
                        if not bottom or get_frame(bottom - 1).f_back is not None:
                            bottom = height(bottom)
                    except ValueError:
                        bottom = height(bottom)
                    heights[0] = budget.floor = bottom
                    budget.measured = True
                    if bottom > shallow or get_limit() < _LIMIT:
                        budget.reserve()
                    # What `Budget.enter` does, inline: its cost is added to every call.
                    budget.checked = now = monotonic()
                    operation = budget.operation
                    if operation is not None:
                        budget.deadline = operation.deadline
                    else:
                        budget.deadline = None if timeout is None else now + timeout
                    budget.start = budget.given - length_hint(budget.slice)
                    if dropped:
                        budget.settle()
                        budget.fuel_used = 0
                    if short:
                        budget.recheck_limits()
                    if long:
                        budget.floor = bottom + 1
                        result = call_on_one_piece(space[name], arguments)
                    else:
                        result = space[name](*arguments)
                    long = budget.given - budget.start > _MANY_UNITS
                except BaseException as exception:
                    budget.slots = 0
                    if exception.__class__ is MemoryError:
                        budget.pending_trap = _NO_ROOM
                    caught = self._rescued(exception)
                finally:
                    budget.nesting = 0
                    if budget.held:
                        budget.reserved = False
                        budget.room = 0
                    try:
                        if cached is not None and cached.added:
                            cached.flush()
                    finally:
                        if budget.held:
                            budget.release()
            elif (
                nesting & _LIGHT
                and budget.reserved
                and not stack.crowded
                and budget.pending_trap is None
                and metered
            ):
                slice, measured = budget.slice, budget.measured
                floor, slots = budget.floor, budget.slots
                try:
                    budget.nesting = nesting + 1
                    budget.measured = False
                    budget.floor = 0
                    result = space[name](*arguments)
                except BaseException as exception:
                    if exception.__class__ is MemoryError:
                        budget.pending_trap = _NO_ROOM
                    caught = self._rescued(exception)
                finally:
                    # Nothing is called here, so that no signal's handler runs in between.
                    budget.nesting = nesting
                    budget.measured = measured
                    budget.floor, budget.slots = floor, slots
                    budget.reserved = True
                    if budget.slice is not slice:
                        # Its size was measured for the stack of the call that is over.
                        budget.room = 0
                        rest = dropped
                        rest += budget.slice
            else:
                result = self._nested(name, arguments)
            if caught is not None:
                try:
                    raise caught
                finally:
                    # The exception has this frame: they would be freed, with the instance, only by
                    # Python's next garbage collection.
                    del caught
            return result

        budget.entry_code = entry.__code__
        return entry

    def _nested(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Call a function while another call of the same instance is active."""
        budget = self._budget
        heights = budget.heights
        slice, dropped, nesting = budget.slice, budget.dropped, budget.nesting
        outside = nesting, budget.floor, budget.slots, budget.reserved, budget.measured
        try:
            budget.enter()
            budget.reserved = False
            heights[nesting] = budget.floor = height(heights[nesting])
            budget.measured = True
            budget.reserve()
            return self.namespace[name](*arguments)
        except BaseException as exception:
            if exception.__class__ is MemoryError:
                budget.pending_trap = _NO_ROOM
            caught = self._rescued(exception)
        finally:
            # Nothing is called here, so that no signal's handler runs in between.
            budget.nesting, budget.floor, budget.slots, budget.reserved, budget.measured = outside
            budget.room = 0
            if budget.slice is not slice:
                # Its size was measured for the stack of the call that is over.
                dropped += budget.slice
        try:
            raise caught
        finally:
            del caught

    def _recover(self) -> None:
        """Forget the trap that ended the last call."""
        budget = self._budget
        if budget.pending_trap is _NO_ROOM:
            budget.renew()
            self.namespace["budget"] = budget.iterator
        budget.pending_trap = None

    def _rescued(self, exception: BaseException) -> BaseException:
        """Return what to raise in place of an exception of generated code."""
        trap = self._backtraces.trap(exception) if isinstance(exception, Exception) else None
        if trap is None:
            return exception
        exception.__traceback__ = None
        return trap
