"""The public `Module`: a module compiled once and instantiated many times; and how one is read.

The one place that reads a module's file, decides where code is cached, and decodes and validates.
Plugins are loaded through it.
"""

from __future__ import annotations

import os
import stat

from purewasm_plugins.cache.protocol import CodeCache
from purewasm_plugins.engine import Engine
from purewasm_plugins.engine.instantiate import engine_named, valid_module
from purewasm_plugins.engine.instantiate import instantiate as instantiate_on_engine
from purewasm_plugins.errors import (
    LinkError,
    OutOfMemory,
    PluginFileError,
    TextError,
    ValidationError,
)
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Instance
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.light import cached_property
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping
from purewasm_plugins.wasm import Module as DecodedModule
from purewasm_plugins.wasm import ValidModule, decode, load
from purewasm_plugins.wasm.limits import MAX_MODULE_SIZE
from purewasm_plugins.wasm.types import ExternType

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi
else:
    # Most programs use no WASI: it is imported where it is granted.
    Wasi = Any

__all__ = ["Module", "ModuleImport", "directory_cache", "instantiate", "read_bytes", "read_module"]

#: The environment variable that names a cache directory.
CACHE_VARIABLE = "PUREWASM_CACHE"

#: Bytes that `read_module` reads at a time.
_CHUNK = 1 << 20

#: The end of the name of a file in the text format.
TEXT_SUFFIX = ".wat"

NO_ROOM = "there is no room for what it needs on this machine"


class ModuleImport(Record):
    """An import that a module declares.

    Attributes:
        module, name: its two names.
        type: the type that what is given for it must have.
    """

    module: str
    name: str
    type: ExternType


class Module:
    """A valid WebAssembly module, which can be instantiated any number of times.

        module = Module.compile("calculator.wasm")
        first, second = module.instantiate(), module.instantiate()
        first.exports.function("add")(1, 2)

    It can be pickled, as its bytes and its cache directory, and is compiled anew there.

    Attributes:
        valid: the decoded and validated module, which `instantiate` takes too.
        cache: where the default engine keeps the code that it makes, or None.
    """

    def __init__(self, valid: ValidModule, cache: CodeCache | None = None) -> None:
        """Take a module that was validated; `compile` makes one from bytes.

        Args:
            valid: the validated module.
            cache: where the default engine keeps the code that it makes.
        """
        self.valid = valid
        self.cache = cache
        self._cache_dir: str | os.PathLike[str] | None = None

    @classmethod
    def compile(
        cls,
        source: bytes | str | os.PathLike[str],
        *,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> Module:
        """Decode and validate a module. Functions are translated when they are first called.

        Args:
            source: the bytes of a `.wasm` file, or its path; or the path of a `.wat` file.
            cache_dir: a directory that keeps what was validated and translated, for the next
                process; None for the one that the environment variable PUREWASM_CACHE names, or
                else for none. The code in it is run: no other user may be able to write to it.

        Raises:
            PluginFileError: the file cannot be read.
            PluginError: the cache directory cannot be used.
            TextError: the text of a `.wat` file is no module.
            DecodeError, ValidationError: the bytes are no valid module.
            OutOfMemory: Python has no room for the module.
            TypeError: `source` is neither bytes nor a path.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
        elif isinstance(source, (str, os.PathLike)):
            data = read_module(source, "module")
        else:
            raise TypeError(
                f"expected the bytes of a module or its path, got {type(source).__name__}"
            )
        cache = directory_cache(cache_dir)
        module = cls(_valid_module(data, cache), cache)
        module._cache_dir = cache_dir
        return module

    @classmethod
    def from_text(
        cls, text: str | bytes, *, cache_dir: str | os.PathLike[str] | None = None
    ) -> Module:
        """Assemble and validate a module in the WebAssembly text format.

            module = Module.from_text('(func (export "one") (result i32) (i32.const 1))')
            module.instantiate().exports.function("one")()

        Args:
            text: the module, or its fields without `(module …)` around them; as bytes in UTF-8.
            cache_dir: as for `compile`.

        Raises:
            TextError: the text is no module; the error has the line and the column.
            DecodeError, ValidationError: the module breaks a limit, or is not valid; the attribute
                `text` of a `ValidationError` has the line and the column.
            PluginError: the cache directory cannot be used.
            OutOfMemory: Python has no room for the module.
        """
        # Imported here, with `re`: most programs have no text.
        from purewasm_plugins.wasm.text.assembler import assemble

        try:
            return cls.compile(assemble(text), cache_dir=cache_dir)
        except ValidationError as error:
            raise _in_text(error, text) from None

    @property
    def data(self) -> bytes:
        """The bytes that it was compiled from."""
        return self.valid.module.data

    @cached_property
    def exports(self) -> Mapping[str, ExternType]:
        """The exports of an instance: name to type, in the order of the module."""
        module = self.valid.module
        return {export.name: module.export_type(export) for export in module.exports}

    @cached_property
    def imports(self) -> tuple[ModuleImport, ...]:
        """The imports that instantiation needs, in the order of the module."""
        module = self.valid.module
        return tuple(
            ModuleImport(entry.module, entry.name, module.import_type(entry))
            for entry in module.imports
        )

    def instantiate(
        self,
        imports: Imports | None = None,
        *,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        wasi: Wasi | bool | None = None,
    ) -> Instance:
        """Make an instance and run its start function.

        Args:
            imports: `{module: {name: value}}`, a value being a Python callable, a `Function`, a
                `Memory`, a `Table` or a `Global`.
            engine: the name of an engine, or an engine; None for the default.
            limits: what the instance may use; None for the defaults of `ResourceLimits`.
            wasi: what it may touch through WASI, as for the function `instantiate`.

        Raises:
            UnknownEngineError: there is no such engine, or it cannot run here.
            LinkError: an import is missing or does not match its declaration.
            ResourceLimitError: the module declares more than the limits allow.
            GrantError: a directory that was granted cannot be opened.
            Trap: a segment does not fit, or the start function trapped.
        """
        chosen = engine_named(engine, self.cache)
        return instantiate(self.valid, imports, engine=chosen, limits=limits, wasi=wasi)

    def __reduce__(self) -> tuple[object, ...]:
        return _compiled, (type(self), self.data, self._cache_dir)

    def __repr__(self) -> str:
        return f"<Module: {len(self.imports)} imports, {len(self.exports)} exports>"


def instantiate(
    data_or_module: bytes | DecodedModule | ValidModule,
    imports: Imports | None = None,
    *,
    engine: str | Engine | None = None,
    limits: ResourceLimits | None = None,
    wasi: Wasi | bool | None = None,
) -> Instance:
    """Make an instance of a module and run its start function.

    A module that exports `_initialize` expects its host to call that before any other function.

    Args:
        data_or_module: the bytes of a `.wasm` file, or what `load` made of them.
        imports: `{module: {name: value}}`, a value being a Python callable, a `RawFunction`, a
            `Function`, a `Memory`, a `Table` or a `Global`. A callable gets the type that the
            module declares, and the instance as a `Caller` where its first parameter is annotated
            so.
        engine: the name of an engine, or an engine; None for the default.
        limits: what the instance may use; None for the defaults of `ResourceLimits`.
        wasi: what it may touch through WASI preview 1: `Wasi`; True for what no one is harmed by
            (captured output, the host's clocks and random numbers); None or False for no WASI.
            `Instance.wasi` has what the module wrote; its `finish_call` stores what was changed in
            directories of the host that are copied. Functions in `imports` come first.

    Raises:
        DecodeError, ValidationError: the module is not valid.
        LinkError: an import is missing or does not match its declaration.
        UnknownEngineError: there is no such engine, or it cannot run here.
        ResourceLimitError: the module declares more than the limits allow.
        GrantError: a directory that was granted cannot be opened.
        InvalidOptionError: `wasi` is neither `Wasi` nor a bool.
        Trap: a segment does not fit, or the start function trapped.
        OutOfMemory: Python has no room for the instance.
    """
    if wasi is None or wasi is False:
        try:
            return instantiate_on_engine(data_or_module, imports, engine=engine, limits=limits)
        except LinkError as error:
            raise _advised(error, valid_module(data_or_module).module) from None
    # Imported here: most modules use no WASI.
    from purewasm_plugins.wasi.grants import granted
    from purewasm_plugins.wasi.linking import link

    valid = valid_module(data_or_module)
    linked, state = link(valid.module, granted(wasi), imports)
    try:
        return instantiate_on_engine(valid, linked, engine=engine, limits=limits, wasi=state)
    except BaseException:
        state.close()
        raise


def _advised(error: LinkError, module: DecodedModule) -> LinkError:
    """Return the error of a link, with advice where WASI would give the import."""
    from purewasm_plugins.wasi.linking import offered

    if error.name not in offered(module).get(error.module, {}) or "unknown" not in error.details:
        return error
    advice = "wasi=True gives it"
    return LinkError(error.module, error.name, error.details, error.available, advice)


def _compiled(cls: type[Module], data: bytes, cache_dir: str | os.PathLike[str] | None) -> Module:
    return cls.compile(data, cache_dir=cache_dir)


def _valid_module(data: bytes, cache: CodeCache | None = None) -> ValidModule:
    """Decode and validate a module.

    Args:
        data: its bytes.
        cache: what remembers which modules are valid; those are only decoded.

    Raises:
        DecodeError, ValidationError: they are no valid module.
        OutOfMemory: Python has no room for the module.
    """
    try:
        if cache is None:
            return load(data)
        # Imported here: most programs use no cache.
        from purewasm_plugins.cache.keys import validity_key

        key = validity_key(data)
        if cache.get(key) is not None:
            return ValidModule(decode(data))
        module = load(data)
        cache.put(key, b"")
    except MemoryError:
        raise OutOfMemory from None
    return module


def directory_cache(directory: str | os.PathLike[str] | None) -> CodeCache | None:
    """Return the cache in a directory; for None in the one that PUREWASM_CACHE names, if any.

    An empty name is no cache.

    Raises:
        PluginError: the directory cannot be used, or PUREWASM_CACHE_SIZE is no size.
    """
    chosen = directory if directory is not None else os.environ.get(CACHE_VARIABLE)
    if not chosen:
        return None
    # Imported here: most programs use no cache.
    from purewasm_plugins.cache.directory import DirectoryCache
    from purewasm_plugins.cache.location import bound

    return DirectoryCache(chosen, bound())


def read_module(path: str | os.PathLike[str], kind: str = "plugin") -> bytes:
    """Read a module's file, up to the largest size that a module may have.

    Args:
        path: the file; a device or a pipe is refused. A file whose name ends in `.wat` is a module
            in the text format.
        kind: what it is, for the error: "plugin" or "module".

    Returns:
        The bytes of the module.

    Raises:
        PluginFileError: the file cannot be read.
        TextError: the text is no module; the error has the path.
        DecodeError, ValidationError: the module of a text is not valid.
        OutOfMemory: Python has no room for the text.
    """
    data = read_bytes(path, kind)
    name = str(path)
    if not name.endswith(TEXT_SUFFIX):
        return data
    from purewasm_plugins.wasm.text.assembler import assemble

    try:
        module = assemble(data)
        load(module)
    except TextError as error:
        raise error.in_file(name) from None
    except ValidationError as error:
        raise _in_text(error, data, name) from None
    return module


def _in_text(error: ValidationError, text: str | bytes, file: str | None = None) -> ValidationError:
    """Return the error of a module with its place in the text."""
    from purewasm_plugins.wasm.text.assembler import place_of

    place = place_of(text, error)
    if place is not None and file is not None:
        place = place.in_file(file)
    return ValidationError(error.message, error.function, error.offset, place, error.field)


def read_bytes(path: str | os.PathLike[str], kind: str) -> bytes:
    """Read a file as it is, up to the largest size that a module may have.

    Args:
        path: the file; a device or a pipe is refused.
        kind: what it is, for the error.

    Raises:
        PluginFileError: the file cannot be read.
    """
    try:
        _check_regular(os.stat(path))
        with open(path, "rb", opener=_open_without_waiting) as file:
            # Another file may have taken its place since.
            _check_regular(os.fstat(file.fileno()))
            chunks = []
            size = 0
            # In pieces: a read of MAX_MODULE_SIZE bytes would allocate them at once. One piece
            # more than is allowed is read: the decoder then reports the size.
            while size <= MAX_MODULE_SIZE and (chunk := file.read(_CHUNK)):
                chunks.append(chunk)
                size += len(chunk)
            return b"".join(chunks)
    except OSError as error:
        raise PluginFileError(str(path), error.strerror or str(error), kind) from error
    except ValueError as error:
        raise PluginFileError(str(path), str(error), kind) from error
    except MemoryError:
        raise PluginFileError(str(path), NO_ROOM, kind) from None


def _check_regular(status: os.stat_result) -> None:
    """Refuse what cannot be read to its end, or acts when it is opened: devices and pipes."""
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe that takes the file's place would wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
