"""Completion in the shell of arguments and options: plugins, tools, engines, functions.

A completion never fails and never waits long: where a plugin cannot be loaded within `_TIMEOUT`
seconds, nothing is offered. The names that a plugin chose are offered only where no shell gives a
meaning to their characters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import CompletionItem

from purewasm_plugins.engine.instantiate import ENGINES
from purewasm_plugins.errors import PluginError
from purewasm_plugins.module import Module

#: Seconds that a plugin may take for its loading.
_TIMEOUT = 2.0

#: Names that are offered at most.
_MOST = 200

#: A name that stands for itself in every shell.
_PLAIN = re.compile(r"[\w.+/-]{1,100}", re.ASCII)


def complete_plugin(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer files and, where one fits, the names of the examples."""
    from purewasm_plugins.bundled import EXAMPLES

    return _files_or({entry.name: entry.summary for entry in EXAMPLES}, incomplete)


def complete_program(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer files and, where one fits, the names of the examples that are programs."""
    from purewasm_plugins.bundled import EXAMPLES

    programs = [entry for entry in EXAMPLES if entry.source.startswith("programs/")]
    return _files_or({entry.name: entry.summary for entry in programs}, incomplete)


def _files_or(examples: dict[str, str], incomplete: str) -> list[CompletionItem]:
    """Offer files and, where one fits, names with their descriptions."""
    items = [
        CompletionItem(name, help=summary)
        for name, summary in examples.items()
        if name.startswith(incomplete)
    ]
    if not items:
        return [CompletionItem(incomplete, type="file")]
    # Bash completes files by itself only where nothing else is offered.
    return items + [CompletionItem(name) for name in _files_here(incomplete)]


def complete_file(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell offer files."""
    return [CompletionItem(incomplete, type="file")]


def complete_directory(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell offer directories."""
    return [CompletionItem(incomplete, type="dir")]


def complete_variable(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of this process's variables."""
    return [CompletionItem(name) for name in _fitting(sorted(os.environ), incomplete)]


def _files_here(incomplete: str) -> list[str]:
    """Return the `.wasm` and `.wat` files here, and its folders with a slash."""
    try:
        with os.scandir() as entries:
            found = [entry.name + "/" * entry.is_dir() for entry in entries]
    except OSError:
        return []
    wanted = (name for name in found if name.endswith((".wasm", ".wat", "/")) and name[0] != ".")
    return _fitting(sorted(wanted), incomplete)


def complete_tool(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the plugin's tools, with their descriptions."""
    from purewasm_plugins.cli.output import visible
    from purewasm_plugins.plugin import WasmPlugin
    from purewasm_plugins.runtime.limits import ResourceLimits
    from purewasm_plugins.wasi.grants import Wasi

    module = _module(context)
    if module is None:
        return []
    try:
        silent = Wasi(stdout="discard", stderr="discard")
        plugin = WasmPlugin(module, limits=ResourceLimits(timeout=_TIMEOUT), wasi=silent)
    except PluginError:
        return []
    described = {tool.name: visible(tool.description, 60) for tool in plugin.tools}
    return [CompletionItem(name, help=described[name]) for name in _fitting(described, incomplete)]


def complete_engine(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the engines."""
    return [CompletionItem(name) for name in _fitting(ENGINES, incomplete)]


def complete_function(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the module's functions: those of its name section, and its exports."""
    return [CompletionItem(name) for name in _fitting(_functions(context), incomplete)]


def complete_export(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the functions that the module exports."""
    return [
        CompletionItem(name) for name in _fitting(_functions(context, exported=True), incomplete)
    ]


def _plugin(context: click.Context) -> str:
    """Return the plugin that the command line names, or an empty string."""
    named = context.params.get("plugin") or context.params.get("file")
    # While the value of an option is completed, click leaves the arguments before it unparsed.
    return named or next((word for word in context.args if not word.startswith("-")), "")


def _module(context: click.Context) -> Module | None:
    """Return the module that the command line names, or None where there is no valid one."""
    from purewasm_plugins.cli.caching import usable_directory
    from purewasm_plugins.cli.exits import Failure
    from purewasm_plugins.cli.loading import read_file
    from purewasm_plugins.plugin.loading import compile_plugin

    try:
        return compile_plugin(read_file(_plugin(context)), usable_directory(None, quiet=True))
    except (Failure, PluginError):
        return None


def _functions(context: click.Context, *, exported: bool = False) -> Iterator[str]:
    from purewasm_plugins.wasm import ExternKind
    from purewasm_plugins.wasm.symbols.names import read_names

    module = _module(context)
    if module is None:
        return
    valid = module.valid
    if not exported:
        yield from read_names(valid.module).functions.values()
    for entry in valid.module.exports:
        if entry.kind is ExternKind.FUNCTION:
            yield entry.name


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the plain names that start so, each once, in their order."""
    fitting = (name for name in names if name.startswith(incomplete) and _PLAIN.fullmatch(name))
    return [*dict.fromkeys(fitting)][:_MOST]
