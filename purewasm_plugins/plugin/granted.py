"""From the options of a plugin to what its instances import, and to what they see of WASI.

A plugin imports its capabilities from the module `purewasm`; `ABI.md` lists them. All of them are
given to each plugin that imports one, so that a plugin loads wherever it is taken: what was not
granted refuses each call.
"""

from __future__ import annotations

from purewasm_plugins.module import Module
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.support.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi
else:
    # Most programs use no WASI: it is imported where it is granted.
    Wasi = Any

__all__ = ["MODULE", "granted_imports", "granted_wasi"]

#: The module that a plugin imports its capabilities from.
MODULE = "purewasm"


def granted_imports(module: Module, options: PluginOptions) -> Imports | None:
    """Return the imports of an instance: those of the options, which come first, and capabilities.

    Args:
        module: the plugin.
        options: how it is run.
    """
    if all(entry.module != MODULE for entry in module.valid.module.imports):
        return options.imports
    # Imported here: most plugins import no capability.
    from purewasm_plugins.plugin.capabilities import capability_functions

    given = options.imports or {}
    return {**given, MODULE: {**capability_functions(module, options), **given.get(MODULE, {})}}


def granted_wasi(options: PluginOptions) -> Wasi | bool | None:
    """Return what an instance is granted of WASI: the configuration is part of its environment.

    A variable of the same name in `Wasi.env` comes first.
    """
    if not options.wasi or not options.config:
        return options.wasi
    from purewasm_plugins.wasi.grants import Wasi, granted

    wasi = granted(options.wasi)
    fields = {name: getattr(wasi, name) for name in Wasi.__match_args__}
    return Wasi(**{**fields, "env": {**options.config, **wasi.env}})
