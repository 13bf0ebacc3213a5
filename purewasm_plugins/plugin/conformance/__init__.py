"""The check whether a file keeps the plugin ABI v1, on this host and on others.

The bytes of a `.wasm` file enter; one `Check` after the other leaves, each with the mend where one
is needed. Nothing is printed here. `ABI.md`, in the folder above, is what is checked: the exports
are looked at without running anything (`declarations`), the rest on instances that are thrown away
(`running`).
"""

from __future__ import annotations

from collections.abc import Iterator

from purewasm_plugins.engine import Engine
from purewasm_plugins.errors import CompileError
from purewasm_plugins.plugin.conformance import mends
from purewasm_plugins.plugin.conformance.declarations import (
    export_checks,
    import_check,
    reactor_check,
)
from purewasm_plugins.plugin.conformance.findings import Check, Status
from purewasm_plugins.plugin.conformance.running import Running
from purewasm_plugins.plugin.loading import compile_plugin
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.limits import ResourceLimits

__all__ = ["CALL_TIMEOUT", "Check", "Status", "check"]

#: Seconds that one call of a plugin may take, where no limits are given.
CALL_TIMEOUT = 5.0


def check(
    data: bytes,
    options: PluginOptions | None = None,
    *,
    engine: str | Engine | None = None,
    limits: ResourceLimits | None = None,
    imports: Imports | None = None,
) -> Iterator[Check]:
    """Check the bytes of a `.wasm` file against the plugin ABI v1.

    Args:
        data: the bytes.
        options, engine, imports: as for `WasmPlugin.load_from_bytes`; no cache is used.
        limits: what each call may use; None for those of `options`, or else for the default limits
            with a timeout of `CALL_TIMEOUT` seconds. With a timeout, the whole ends soon after
            `running.TIME_BOX`.

    Returns:
        The checks, each made when it is asked for. What cannot be looked at is left out: after a
        failure there may be fewer of them.
    """
    options = PluginOptions.merged(options, engine, limits, imports)
    try:
        valid = compile_plugin(data).valid
    except CompileError as error:
        yield Check("module", Status.FAIL, error.details, mends.of_module(error.details))
        return
    yield Check("module", Status.PASS, f"{len(data)} bytes, valid")
    exports = export_checks(valid.module)
    yield from exports.values()
    yield from reactor_check(valid.module)
    linkable = import_check(valid.module, options.imports or {})
    yield linkable
    if linkable.passed:
        usable = frozenset(name for name, found in exports.items() if found.passed)
        limits = options.limits or ResourceLimits(timeout=CALL_TIMEOUT)
        yield from Running(valid, usable, options.engine, limits, options.imports).checks()
