"""Checks of what a module declares: its exports and imports, without running anything."""

from __future__ import annotations

from collections.abc import Iterator

from purewasm_plugins.plugin import abi
from purewasm_plugins.plugin.conformance import fixes
from purewasm_plugins.plugin.conformance.findings import Check, Status
from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.wasm import Export, ExternKind, FuncType, Import, Module

#: The most missing imports that a finding names.
_NAMED = 5


def export_checks(module: Module) -> dict[str, Check]:
    """Check the presence and the type of each export; skip optional exports that are missing."""
    found = {export.name: export for export in module.exports}
    checks = {abi.MEMORY: _memory_check(module, found.get(abi.MEMORY))}
    for name, expected in abi.REQUIRED.items():
        checks[name] = _function_check(module, name, expected, found.get(name))
    for name, expected in abi.OPTIONAL.items():
        if name in found:
            checks[name] = _function_check(module, name, expected, found[name])
    if "plugin_alloc" in found and "plugin_free" not in found:
        details = "missing beside plugin_alloc: every call leaks its input"
        fix = fixes.of_export("plugin_free")
        checks["plugin_free"] = Check("export plugin_free", Status.WARNING, details, fix)
    return checks


def _memory_check(module: Module, export: Export | None) -> Check:
    name = f"export {abi.MEMORY}"
    if export is None:
        return Check(name, Status.FAIL, "missing", fixes.MEMORY)
    if export.kind is not ExternKind.MEMORY:
        return Check(name, Status.FAIL, f"a {export.kind}, not a memory", fixes.MEMORY)
    return Check(name, Status.PASS, str(module.export_type(export)))


def _function_check(module: Module, name: str, expected: FuncType, export: Export | None) -> Check:
    label = f"export {name}"
    if export is None:
        return Check(label, Status.FAIL, "missing", fixes.of_export(name))
    actual = module.export_type(export)
    if actual != expected:
        what = str(actual) if export.kind is ExternKind.FUNCTION else f"a {export.kind}"
        return Check(label, Status.FAIL, f"{what}, not {expected}", fixes.of_export(name))
    return Check(label, Status.PASS, str(expected))


def reactor_check(module: Module) -> Iterator[Check]:
    """Warn of a module that is built as a command, which hosts do not start."""
    names = {export.name for export in module.exports}
    if "_start" in names and "_initialize" not in names:
        details = "built as a command: hosts do not call _start, so its constructors do not run"
        yield Check("reactor", Status.WARNING, details, fixes.REACTOR)


def _known_to_wasi(module: Module, missing: list[Import]) -> list[Import]:
    """Return the imports that WASI would give."""
    # Imported here: most plugins use no WASI.
    from purewasm_plugins.wasi.linking import offered

    given = offered(module)
    return [entry for entry in missing if entry.name in given.get(entry.module, {})]


def import_check(module: Module, imports: Imports, *, wasi: bool) -> Check:
    """Check that every import is given. Instantiation checks their types.

    Args:
        module: the plugin.
        imports: what the host gives beside WASI.
        wasi: whether WASI is granted.
    """
    missing = [i for i in module.imports if i.name not in imports.get(i.module, {})]
    known = _known_to_wasi(module, missing) if missing else []
    if wasi:
        missing = [i for i in missing if i not in known]
    if not missing:
        count = len(module.imports)
        given = f"{count}, all given{f': {len(known)} by WASI' if known else ''}"
        return Check("imports", Status.PASS, given if count else "none")
    names = ", ".join(f"{i.module}.{i.name}" for i in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    found = [fixes.WASI] if known and not wasi else []
    found += [fixes.of_import(i) for i in missing[:_NAMED]]
    fix = "\n".join(dict.fromkeys(found))
    return Check("imports", Status.FAIL, f"not given: {names}{more}", fix)
