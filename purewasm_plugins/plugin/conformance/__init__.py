"""The conformance check: whether a file follows the plugin ABI v1, on this host and on others.

`check` takes the bytes of a `.wasm` file and yields one `Check` after the other, each with a fix
where one is needed. The rules are those of `ABI.md`, in the folder above. `declarations` checks the
exports and imports without running anything; `running` checks the rest on short-lived instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from purewasm_plugins.engine import Engine
from purewasm_plugins.engine.instantiate import engine_named
from purewasm_plugins.errors import CompileError
from purewasm_plugins.plugin.conformance import fixes
from purewasm_plugins.plugin.conformance.declarations import (
    export_checks,
    import_check,
    reactor_check,
)
from purewasm_plugins.plugin.conformance.findings import Check, Status
from purewasm_plugins.plugin.conformance.running import Running
from purewasm_plugins.plugin.granted import granted_imports, granted_wasi
from purewasm_plugins.plugin.loading import compile_plugin
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.limits import ResourceLimits

if TYPE_CHECKING:
    from purewasm_plugins.wasi.grants import Wasi

__all__ = ["CALL_TIMEOUT", "Check", "Status", "check"]

#: The seconds that one call of a plugin may take if no limits are given.
CALL_TIMEOUT = 5.0


def check(
    data: bytes,
    options: PluginOptions | None = None,
    *,
    engine: str | Engine | None = None,
    limits: ResourceLimits | None = None,
    imports: Imports | None = None,
    wasi: Wasi | bool | None = None,
) -> Iterator[Check]:
    """Check the bytes of a `.wasm` file against the plugin ABI v1.

    Args:
        data: the bytes.
        options, engine, imports, wasi: as for `WasmPlugin.load_from_bytes`.
        limits: the limits of each call; None for those of `options`, or else the default limits
            with a timeout of `CALL_TIMEOUT` seconds. With a timeout, the check ends soon after
            `running.TIME_BOX` seconds.

    Returns:
        The checks. Each is made when the iterator reaches it. A failure can make later checks
        impossible: these are left out.
    """
    options = PluginOptions.merged(options, engine, limits, imports, wasi=wasi)
    try:
        module = compile_plugin(data, options.cache_dir)
    except CompileError as error:
        yield Check("module", Status.FAIL, error.details, fixes.of_module(error.details))
        return
    valid = module.valid
    yield Check("module", Status.PASS, f"{len(data)} bytes, valid")
    exports = export_checks(valid.module)
    yield from exports.values()
    yield from reactor_check(valid.module)
    given, granted = granted_imports(module, options), granted_wasi(options)
    linkable = import_check(valid.module, given or {}, wasi=bool(granted))
    yield linkable
    if linkable.passed:
        usable = frozenset(name for name, found in exports.items() if found.passed)
        limits = options.limits or ResourceLimits(timeout=CALL_TIMEOUT)
        engine = engine_named(options.engine, module.cache)
        yield from Running(valid, usable, engine, limits, given, granted).checks()
