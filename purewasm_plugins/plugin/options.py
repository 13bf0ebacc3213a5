"""The options of plugins: engine, limits, imports and cache, as one frozen record."""

from __future__ import annotations

import os

from purewasm_plugins.engine import Engine
from purewasm_plugins.engine.instantiate import ENGINES
from purewasm_plugins.errors import InvalidOptionError, UnknownEngineError
from purewasm_plugins.plugin.policy import ToolPolicy
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.limits import ResourceLimits
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
    from purewasm_plugins.capabilities.key_value import KeyValueStore
    from purewasm_plugins.wasi.grants import Wasi
else:
    # Most programs use none of them: they are imported where they are granted.
    Wasi = Http = KeyValueStore = Any

__all__ = ["PluginOptions"]


class PluginOptions(Record):
    """The options of a plugin. Each field is checked when the record is made.

        options = PluginOptions(limits=ResourceLimits(timeout=2.0))
        plugin = WasmPlugin.load("a.wasm", options)
        manager = WasmPluginManager(options)

    Attributes:
        engine: the name of an engine, or an engine; None for the default.
        limits: what each call may use; None for the defaults of `ResourceLimits`.
        imports: what the host gives a plugin, `{module: {name: value}}`, as for `instantiate`.
        cache_dir: a directory that keeps what was validated and translated, for the next process;
            None for the one that the environment variable PUREWASM_CACHE names, or else for none.
            The code in it is run: no other user may be able to write to it.
        wasi: what a plugin may touch through WASI preview 1: `Wasi`; True for what no one is
            harmed by, the clocks and random numbers of the host; None or False for no WASI. Output
            that is captured goes to the logger `purewasm_plugins.plugin` after loading, and after
            each call.
        policy: what agents get of its tools; None for all of them, as they are.
        config: texts by name, which the plugin reads: by `purewasm.config_get`, and as variables
            of its environment where it is granted WASI.
        http: the hosts that the plugin may send HTTP requests to: `Http`; None for none.
        kv: a store of texts that outlives the plugin's calls: `KeyValueStore`; None for none.

    Raises:
        InvalidOptionError: a field has a wrong type, or there is no such engine.
    """

    engine: str | Engine | None = None
    limits: ResourceLimits | None = None
    imports: Imports | None = None
    cache_dir: str | os.PathLike[str] | None = None
    wasi: Wasi | bool | None = None
    policy: ToolPolicy | None = None
    config: Mapping[str, str] | None = None
    http: Http | None = None
    kv: KeyValueStore | None = None

    def __post_init__(self) -> None:
        """Check each field."""
        _check_engine(self.engine)
        if not isinstance(self.limits, ResourceLimits | None):
            raise _wrong("limits", "ResourceLimits or None", self.limits)
        _check_imports(self.imports)
        if not isinstance(self.cache_dir, str | os.PathLike | None):
            raise _wrong("cache_dir", "the path of a directory or None", self.cache_dir)
        if not isinstance(self.policy, ToolPolicy | None):
            raise _wrong("policy", "ToolPolicy or None", self.policy)
        if self.wasi is not None and not isinstance(self.wasi, bool):
            # Imported here: most plugins use no WASI.
            from purewasm_plugins.wasi.grants import granted

            granted(self.wasi)
        if self.config is not None:
            # Imported here, as above.
            from purewasm_plugins.capabilities.config import check_config

            check_config(self.config)
        if self.http is not None:
            from purewasm_plugins.capabilities.http import Http

            if not isinstance(self.http, Http):
                raise _wrong("http", "Http or None", self.http)
        if self.kv is not None:
            from purewasm_plugins.capabilities.key_value import KeyValueStore

            if not isinstance(self.kv, KeyValueStore):
                raise _wrong("kv", "a KeyValueStore or None", self.kv)

    @classmethod
    def merged(
        cls,
        options: PluginOptions | None,
        engine: str | Engine | None = None,
        limits: ResourceLimits | None = None,
        imports: Imports | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        wasi: Wasi | bool | None = None,
        config: Mapping[str, str] | None = None,
        http: Http | None = None,
        kv: KeyValueStore | None = None,
    ) -> PluginOptions:
        """Return options in which each value that is not None replaces the field of that name.

        Raises:
            InvalidOptionError: a value is wrong, or `options` are no `PluginOptions`.
        """
        if options is None:
            return cls(engine, limits, imports, cache_dir, wasi, config=config, http=http, kv=kv)
        if not isinstance(options, PluginOptions):
            raise _wrong("options", "PluginOptions or None", options)
        given = (engine, limits, imports, cache_dir, wasi, config, http, kv)
        if given == (None,) * len(given):
            return options
        return cls(
            options.engine if engine is None else engine,
            options.limits if limits is None else limits,
            options.imports if imports is None else imports,
            options.cache_dir if cache_dir is None else cache_dir,
            options.wasi if wasi is None else wasi,
            options.policy,
            options.config if config is None else config,
            options.http if http is None else http,
            options.kv if kv is None else kv,
        )


def _check_engine(engine: object) -> None:
    if isinstance(engine, str):
        if engine not in ENGINES:
            raise InvalidOptionError("engine", str(UnknownEngineError(engine, ENGINES)))
    elif engine is not None and not callable(getattr(engine, "link", None)):
        raise _wrong("engine", "the name of an engine, an engine or None", engine)


def _check_imports(imports: object) -> None:
    expected = "{module: {name: value}} or None"
    if imports is None:
        return
    if not isinstance(imports, Mapping):
        raise _wrong("imports", expected, imports)
    for module, values in imports.items():
        if not isinstance(module, str):
            raise _wrong("imports", f"{expected}: the name of a module is a string", module)
        if not isinstance(values, Mapping):
            what = f"{expected}: what is given for module '{module}' is {{name: value}}"
            raise _wrong("imports", what, values)


def _wrong(option: str, expected: str, given: object) -> InvalidOptionError:
    return InvalidOptionError(option, f"it must be {expected}, and is a {type(given).__name__}")
