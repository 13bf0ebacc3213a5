"""Assembling of modules from text to bytes (core specification, section 6.6).

The fields are read twice: first their identifiers, because a field can refer to a later one; then
their contents, which are encoded at once.
"""

from __future__ import annotations

from bisect import bisect_right

from purewasm_plugins.errors import OutOfMemory, TextError, ValidationError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Callable, Iterator, Sequence
from purewasm_plugins.wasm import limits
from purewasm_plugins.wasm.binary import encoder
from purewasm_plugins.wasm.binary.sections import MAGIC, SECTION_IDS, decode
from purewasm_plugins.wasm.module import Export, Import, Module, Span
from purewasm_plugins.wasm.symbols.names import Names, encode_names
from purewasm_plugins.wasm.text.bodies import Body
from purewasm_plugins.wasm.text.immediates import Scope, Spaces
from purewasm_plugins.wasm.text.lexer import END, error_at, tokenize
from purewasm_plugins.wasm.text.reader import Reader, Space
from purewasm_plugins.wasm.text.signatures import Documenting, Signatures, declared, signature
from purewasm_plugins.wasm.types import (
    PAGE_SIZE,
    ExternKind,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    ValType,
)

__all__ = [
    "FIELD_KEYWORDS",
    "FunctionPlaces",
    "assemble",
    "assemble_fields",
    "decode_source",
    "instruction_places",
    "place_of",
]


def assemble(text: str | bytes) -> bytes:
    """Assemble a module in the WebAssembly text format.

    The module is not validated: `Module.compile` does that with the result. The identifiers of the
    text are in the name section of the module.

    Args:
        text: a module, or the fields of one without `(module …)` around them; as bytes in UTF-8.

    Returns:
        The bytes of the module.

    Raises:
        TextError: the text is no module; the error has the line and the column.
        OutOfMemory: Python has no room for the text.
        TypeError: `text` is neither a string nor bytes.

    Example:
        >>> assemble("(module)").hex()
        '0061736d01000000'
    """
    try:
        return _whole(_Assembler(Reader(tokenize(_source(text)))))
    except MemoryError:
        pass
    # Raised outside of the handler, where the tokens are freed and there is memory again.
    raise OutOfMemory


def decode_source(source: bytes) -> str:
    """Decode a text from UTF-8.

    Raises:
        TextError: it is not UTF-8, or a module in the binary format.
    """
    if source.startswith(MAGIC):
        raise error_at("", 0, "this is the binary format: the module needs no assembling")
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode()
        raise error_at(before, len(before), "malformed UTF-8 encoding") from None


def place_of(text: str | bytes, error: ValidationError) -> TextError | None:
    """Return the place in a text of what the validator says of its module.

    Args:
        text: what was assembled.
        error: the error of the validator.

    Returns:
        The same message, at the instruction or the field that breaks the rule; None where the fault
        has no place.
    """
    if error.offset is None and error.field is None:
        return None
    # The text is assembled again: this is needed for an error alone.
    assembler = _Assembler(Reader(tokenize(_source(text))), keep_places=True)
    module = decode(_whole(assembler))
    if error.field is not None:
        kind, index = error.field
        return assembler.reader.error(error.message, assembler.fields[kind][index])
    if error.offset is None:
        return None
    for span, body in zip(_code(module), assembler.bodies(), strict=True):
        if body is not None and span.start <= error.offset < span.end:
            instruction = bisect_right(body.starts, error.offset - span.start) - 1
            return assembler.reader.error(error.message, body.tokens[instruction])
    return None


class FunctionPlaces(Record):
    """Where a function is in a text.

    Attributes:
        start, end: the positions of its parentheses.
        offsets: of its instructions, in bytes of the module.
        positions, lengths: of the tokens that they were assembled from, in characters. The end of
            a folded block or of the function is a closing parenthesis.
    """

    start: int
    end: int
    offsets: Sequence[int]
    positions: Sequence[int]
    lengths: Sequence[int]


def instruction_places(text: str | bytes) -> Iterator[FunctionPlaces]:
    """Yield where the functions are that a text defines, in the order of their indices.

    Raises:
        TextError: the text is no module.
    """
    assembler = _Assembler(Reader(tokenize(_source(text))), keep_places=True)
    module = decode(_whole(assembler))
    tokens = assembler.reader.tokens
    for function, body, field in zip(
        module.functions, assembler.functions(), assembler.function_fields, strict=True
    ):
        yield FunctionPlaces(
            tokens.starts[field],
            tokens.starts[tokens.closing[field]],
            tuple(function.body.start + start for start in body.starts),
            tuple(tokens.starts[token] for token in body.tokens),
            tuple(len(tokens.texts[token]) for token in body.tokens),
        )


def _code(module: Module) -> Iterator[Span]:
    """Yield where the instructions of a module are, in its order."""
    for entry in module.globals:
        yield entry.init
    for segment in module.elements:
        if segment.offset is not None:
            yield segment.offset
        yield from (item for item in segment.items if isinstance(item, Span))
    for function in module.functions:
        yield function.body
    for data in module.data_segments:
        if data.offset is not None:
            yield data.offset


def _source(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    if isinstance(text, (bytes, bytearray, memoryview)):
        return decode_source(bytes(text))
    raise TypeError(f"expected a text or its bytes, got {type(text).__name__}")


def _whole(assembler: _Assembler) -> bytes:
    """Assemble a text that is one module, and nothing else."""
    reader = assembler.reader
    if not reader.open("module"):
        data = assembler.module(None)
    else:
        data = assembler.module(reader.identifier())
        reader.expect(")")
    if reader.texts[reader.at] is not END or reader.tokens.fault is not None:
        reader.unexpected("the end of the text")
    return data


def assemble_fields(reader: Reader, name: str | None = None) -> bytes:
    """Assemble the fields of a module, up to a closing parenthesis or the end of the text.

    Args:
        reader: where the first field is; it is moved behind the last one.
        name: the name of the module.

    Raises:
        TextError: they are no fields of a module.
    """
    return _Assembler(reader).module(name)


#: The keywords of what can be imported and exported.
_KINDS = {
    "func": ExternKind.FUNCTION,
    "table": ExternKind.TABLE,
    "memory": ExternKind.MEMORY,
    "global": ExternKind.GLOBAL,
}


#: The segment in the abbreviation of a definition with its contents, by the keyword of that.
_CONTENTS = {"table": "elem", "memory": "data"}


class _Assembler:
    """Assembles one module.

    Attributes:
        reader: where the fields are.
        fields: the tokens of the fields, if places are kept; by kind and index as in
            `ValidationError.field`.
        function_fields: the parentheses that open the functions that it defines, as tokens.
    """

    def __init__(self, reader: Reader, *, keep_places: bool = False) -> None:
        self.reader = reader
        #: By section, the functions and expressions in it, if they are kept; None for one that is
        #: not written.
        self._bodies: dict[str, list[Body | None]] | None = None
        self.fields: dict[str, list[int]] = {}
        if keep_places:
            self._bodies = {name: [] for name in ("global", "element", "code", "data")}
        self.function_fields: list[int] = []
        self._spaces = spaces = Spaces()
        self._externs = {
            ExternKind.FUNCTION: spaces.functions,
            ExternKind.TABLE: spaces.tables,
            ExternKind.MEMORY: spaces.memories,
            ExternKind.GLOBAL: spaces.globals,
        }
        self._signatures = Signatures()
        self._fields = 0
        #: The index of the next definition, in the second pass.
        self._next = dict.fromkeys(ExternKind, 0)
        #: The kind of the first definition that is no import.
        self._defined: str | None = None
        #: The items of each section.
        self._items: dict[str, list[bytes]] = {name: [] for name in SECTION_IDS}
        self._start: int | None = None
        self._uses_data = False
        self._local_names: dict[int, dict[int, str]] = {}
        self._label_names: dict[int, dict[int, str]] = {}

    def module(self, name: str | None) -> bytes:
        """Read the fields and return the module."""
        reader = self.reader
        start = reader.at
        for read_field in (self._declare, self._define):
            reader.at = start
            while reader.texts[reader.at] == "(":
                reader.at += 1
                read_field()
                reader.expect(")")
        if not reader.closes() and reader.texts[reader.at] is not END:
            reader.unexpected("a field of a module")
        return self._encoded(name)

    def bodies(self) -> list[Body | None]:
        """Return the functions and expressions of the module in its order."""
        return [body for section in (self._bodies or {}).values() for body in section]

    def functions(self) -> list[Body]:
        """Return the functions that the module defines, if they are kept."""
        return [body for body in (self._bodies or {"code": []})["code"] if body is not None]

    def _body(self, section: str, locals_: Space | None = None) -> Body:
        body = Body(self.reader, Scope(self._spaces, self._signatures, locals_ or Space("local")))
        self._keep(section, body)
        return body

    def _keep(self, section: str, body: Body | None) -> None:
        if self._bodies is not None:
            self._bodies[section].append(body)

    def _keep_field(self, kind: object, token: int) -> None:
        if self._bodies is not None:
            self.fields.setdefault(str(kind), []).append(token)

    # The first pass

    def _declare(self) -> None:
        """Read the identifiers of a field; of a type everything."""
        reader = self.reader
        end = reader.closing[reader.at - 1]
        keyword = reader.texts[reader.at]
        self._fields += 1
        if self._fields > limits.MAX_DEFINITIONS:
            raise self._too_many("definitions", limits.MAX_DEFINITIONS)
        if keyword not in _FIELDS:
            reader.unexpected("a field of a module")
        reader.at += 1
        if keyword == "type":
            self._type()
            return
        if keyword == "import":
            reader.name()
            reader.name()
            reader.expect("(")
            self._externs[self._kind()].define(reader)
        elif keyword in _KINDS:
            self._externs[_KINDS[keyword]].define(reader)
            self._declare_contents(keyword)
        elif keyword == "elem":
            self._spaces.elements.define(reader)
        elif keyword == "data":
            self._spaces.data.define(reader)
        reader.at = end

    def _too_many(self, what: str, maximum: int) -> TextError:
        """Return the error for a bound of the decoder, which a text must not exceed either."""
        return self.reader.error(f"too many {what}: {maximum} at most")

    def _declare_contents(self, keyword: str) -> None:
        """Count the segment of a definition that is written with its contents."""
        segment = _CONTENTS.get(keyword)
        if segment is None:
            return
        reader = self.reader
        texts = reader.texts
        at = reader.at
        while texts[at] not in (")", END):
            if texts[at] == "(":
                if texts[at + 1] == segment:
                    space = self._spaces.data if segment == "data" else self._spaces.elements
                    space.count += 1
                    return
                at = min(reader.closing[at], len(texts) - 2)
            at += 1

    def _type(self) -> None:
        reader = self.reader
        self._signatures.space.define(reader)
        if not reader.open("func"):
            reader.unexpected("(func")
        self._signatures.define(signature(reader, Documenting("local")))
        reader.expect(")")

    # The second pass

    def _define(self) -> None:
        """Read a field."""
        reader = self.reader
        define = _FIELDS[reader.texts[reader.at]]
        reader.at += 1
        define(self)

    def _skip_type(self) -> None:
        """Go to the end of a type, which the first pass has read."""
        self.reader.at = self.reader.closing[self.reader.at - 2]

    # Imports and exports

    def _kind(self) -> ExternKind:
        """Read the kind of an import or export."""
        kind = _KINDS.get(self.reader.texts[self.reader.at])
        if kind is None:
            self.reader.unexpected("func, table, memory or global")
        self.reader.at += 1
        return kind

    def _extern_type(self, kind: ExternKind) -> int | TableType | MemoryType | GlobalType:
        """Read the type of an import."""
        reader = self.reader
        match kind:
            case ExternKind.FUNCTION:
                names = Space("local")
                type_ = self._signatures.use(reader, names)
                self._name_locals(self._next[kind], names)
                return type_
            case ExternKind.TABLE:
                return reader.table_type()
            case ExternKind.MEMORY:
                return reader.memory_type()
            case ExternKind.GLOBAL:
                return reader.global_type()

    def _import(self) -> None:
        reader = self.reader
        at = reader.at - 1
        module, name = reader.name(), reader.name()
        reader.expect("(")
        kind = self._kind()
        reader.identifier()
        self._add_import(at, module, name, kind)
        reader.expect(")")

    def _add_import(self, at: int, module: str, name: str, kind: ExternKind) -> None:
        if self._defined is not None:
            raise self.reader.error(f"import after {self._defined}: imports come first", at)
        self._keep_field(kind, at)
        entry = Import(module, name, self._extern_type(kind))
        self._items["import"].append(encoder.import_(entry))
        self._next[kind] += 1

    def _export(self) -> None:
        reader = self.reader
        at = reader.at - 1
        name = reader.name()
        reader.expect("(")
        kind = self._kind()
        self._add_export(at, name, kind, reader.index(self._externs[kind]))
        reader.expect(")")

    def _add_export(self, at: int, name: str, kind: ExternKind, index: int) -> None:
        self._keep_field("export", at)
        self._items["export"].append(encoder.export(Export(name, kind, index)))

    def _begin(self, kind: ExternKind) -> int | None:
        """Read the identifier and the inline exports and import of a definition.

        Returns:
            The index of the definition; None for an import, which then was read.
        """
        reader = self.reader
        keyword = reader.at - 1
        index = self._next[kind]
        reader.identifier()
        while reader.open("export"):
            self._add_export(reader.at - 1, reader.name(), kind, index)
            reader.expect(")")
        at = reader.at + 1
        if not reader.open("import"):
            self._next[kind] += 1
            self._keep_field(kind, keyword)
            self._defined = self._defined or self._externs[kind].kind
            return index
        module, name = reader.name(), reader.name()
        reader.expect(")")
        self._add_import(at, module, name, kind)
        return None

    # Functions

    def _function(self) -> None:
        field = self.reader.at - 2
        index = self._begin(ExternKind.FUNCTION)
        if index is None:
            return
        self.function_fields.append(field)
        if len(self._items["code"]) >= limits.MAX_FUNCTIONS:
            raise self._too_many("functions", limits.MAX_FUNCTIONS)
        reader = self.reader
        at = reader.at
        locals_ = Space("local")
        type_ = self._signatures.use(reader, locals_)
        types: list[ValType] = []
        while reader.open("local"):
            types += declared(reader, locals_)
        if locals_.names and type_ >= len(self._signatures.types):
            # How many parameters come before these locals is unknown, even if a later field of the
            # text implies such a type.
            raise reader.error(f"unknown type {type_}", at + 2)
        body = self._body("code", locals_)
        code = encoder.code(_runs(types), body.sequence())
        self._items["function"].append(encoder.unsigned(type_))
        self._items["code"].append(code)
        self._uses_data |= body.uses_data
        self._name_locals(index, locals_)
        if body.label_names:
            self._label_names[index] = body.label_names

    def _name_locals(self, function: int, locals_: Space) -> None:
        if locals_.names:
            self._local_names[function] = locals_.by_index()

    def _start_function(self) -> None:
        if self._start is not None:
            raise self.reader.error("multiple start sections", self.reader.at - 1)
        self._keep_field("start", self.reader.at - 1)
        self._start = self.reader.index(self._spaces.functions)

    def _offset(self, section: str) -> bytes | None:
        """Read the offset of an active segment; return None for another segment."""
        reader = self.reader
        if reader.open("offset"):
            offset = self._body(section).sequence()
            reader.expect(")")
            return offset
        if reader.texts[reader.at] != "(" or reader.is_value_type():
            return None
        return self._body(section).one()

    # Tables, memories and globals

    def _table(self) -> None:
        index = self._begin(ExternKind.TABLE)
        if index is None:
            return
        reader = self.reader
        if not reader.is_value_type():
            self._items["table"].append(encoder.table_type(reader.table_type()))
            return
        type_ = reader.reference_type()
        if not reader.open("elem"):
            reader.unexpected("(elem")
        self._keep_field("element", reader.at - 1)
        by_index = reader.is_index() or reader.closes()
        self._keep("element", None)
        items = self._references(by_index)
        reader.expect(")")
        size = Limits(len(items), len(items))
        self._items["table"].append(encoder.table_type(TableType(type_, size)))
        self._add_elements("active", index, _ZERO, type_, items, by_index)

    def _memory(self) -> None:
        index = self._begin(ExternKind.MEMORY)
        if index is None:
            return
        reader = self.reader
        if not reader.open("data"):
            self._items["memory"].append(encoder.memory_type(reader.memory_type()))
            return
        self._keep_field("data", reader.at - 1)
        self._keep("data", None)
        content = self._strings()
        reader.expect(")")
        pages = -(-len(content) // PAGE_SIZE)
        type_ = MemoryType(Limits(pages, pages))
        self._items["memory"].append(encoder.memory_type(type_))
        self._items["data"].append(encoder.data_segment(content, _ZERO, index))

    def _global(self) -> None:
        if self._begin(ExternKind.GLOBAL) is None:
            return
        type_ = encoder.global_type(self.reader.global_type())
        self._items["global"].append(type_ + self._body("global").sequence())

    # Segments

    def _strings(self) -> bytes:
        parts = []
        while self.reader.is_string():
            parts.append(self.reader.string())
        return b"".join(parts)

    def _data(self) -> None:
        reader = self.reader
        self._keep_field("data", reader.at - 1)
        reader.identifier()
        memory = self._target("memory", self._spaces.memories)
        offset = self._offset("data")
        if offset is None and memory is not None:
            reader.unexpected("(offset")
        content = self._strings()
        self._items["data"].append(encoder.data_segment(content, offset, memory or 0))

    def _target(self, keyword: str, space: Space) -> int | None:
        """Read the memory or table of a segment, if it is written."""
        reader = self.reader
        if not reader.open(keyword):
            # An earlier edition of the format had the index alone.
            return reader.index(space) if reader.is_index() else None
        index = reader.index(space)
        reader.expect(")")
        return index

    def _elements(self) -> None:
        reader = self.reader
        self._keep_field("element", reader.at - 1)
        reader.identifier()
        mode, table, offset = "declarative", None, None
        # Only a segment without `(table …)` may leave `func` out.
        long = reader.opens("table")
        if reader.texts[reader.at] == "declare":
            reader.at += 1
        else:
            table = self._target("table", self._spaces.tables)
            offset = self._offset("element")
            mode = "passive" if offset is None else "active"
            if offset is None and table is not None:
                reader.unexpected("(offset")
        by_index = not reader.is_value_type()
        if reader.texts[reader.at] == "func":
            reader.at += 1
        elif by_index and (long or mode != "active" or not (reader.is_index() or reader.closes())):
            reader.unexpected("func or a reference type")
        type_ = ValType.FUNCREF if by_index else reader.reference_type()
        self._add_elements(mode, table, offset, type_, self._references(by_index), by_index)

    def _references(self, by_index: bool) -> list[int | bytes]:
        """Read the items of an element segment: functions, or constant expressions."""
        reader = self.reader
        items: list[int | bytes] = []
        while not reader.closes():
            if len(items) >= limits.MAX_ITEMS:
                raise self._too_many("items", limits.MAX_ITEMS)
            if by_index:
                items.append(reader.index(self._spaces.functions))
            elif reader.open("item"):
                items.append(self._body("element").sequence())
                reader.expect(")")
            else:
                items.append(self._body("element").one())
        return items

    def _add_elements(
        self,
        mode: str,
        table: int | None,
        offset: bytes | None,
        type_: ValType,
        items: list[int | bytes],
        by_index: bool,
    ) -> None:
        if type_ is not ValType.FUNCREF:
            table = table or 0
            if by_index:
                # The binary format has indices for functions alone. This is not valid.
                items = [encoder.encode("ref.func", item) + _END for item in items]
                by_index = False
                for _ in items:
                    self._keep("element", None)
        segment = encoder.element_segment(
            mode,
            items,
            type_=type_,
            table=table,
            offset=offset or b"",
            expressions=not by_index,
        )
        self._items["element"].append(segment)

    # The module

    def _encoded(self, name: str | None) -> bytes:
        items = self._items
        items["type"] = [encoder.function_type(type_) for type_ in self._signatures.types]
        contents = {kind: encoder.vector(found) for kind, found in items.items() if found}
        if self._start is not None:
            contents["start"] = encoder.unsigned(self._start)
        if self._uses_data:
            contents["data count"] = encoder.unsigned(len(items["data"]))
        sections = [
            encoder.section(kind, contents[kind]) for kind in SECTION_IDS if kind in contents
        ]
        names = encode_names(self._names(name))
        if names:
            sections.append(encoder.section("custom", encoder.name("name") + names))
        return encoder.module(*sections)

    def _names(self, name: str | None) -> Names:
        spaces = self._spaces
        return Names(
            module=name,
            functions=spaces.functions.by_index(),
            locals=self._local_names,
            labels=self._label_names,
            types=self._signatures.space.by_index(),
            tables=spaces.tables.by_index(),
            memories=spaces.memories.by_index(),
            globals=spaces.globals.by_index(),
            elements=spaces.elements.by_index(),
            data=spaces.data.by_index(),
        )


def _runs(types: list[ValType]) -> list[tuple[int, ValType]]:
    """Return the types of locals as runs of equal ones."""
    runs: list[tuple[int, ValType]] = []
    for type_ in types:
        if runs and runs[-1][1] is type_:
            runs[-1] = (runs[-1][0] + 1, type_)
        else:
            runs.append((1, type_))
    return runs


#: By keyword, what reads a field in the second pass.
_FIELDS: dict[str, Callable[[_Assembler], None]] = {
    "type": _Assembler._skip_type,
    "import": _Assembler._import,
    "func": _Assembler._function,
    "table": _Assembler._table,
    "memory": _Assembler._memory,
    "global": _Assembler._global,
    "export": _Assembler._export,
    "start": _Assembler._start_function,
    "elem": _Assembler._elements,
    "data": _Assembler._data,
}

FIELD_KEYWORDS = frozenset(_FIELDS)

_END = encoder.encode("end")
#: The offset of a segment that is written as the contents of a memory or table.
_ZERO = encoder.encode("i32.const", 0) + _END
