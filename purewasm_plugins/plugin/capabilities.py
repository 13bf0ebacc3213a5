"""The functions of the module `purewasm`, as a plugin imports them; `ABI.md` is normative."""

from __future__ import annotations

from purewasm_plugins.module import Module
from purewasm_plugins.plugin.host_functions import HostFunction, host_function
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.support.typed import Any

__all__ = ["capability_functions"]


def capability_functions(
    module: Module, options: PluginOptions
) -> dict[str, HostFunction[..., Any]]:
    """Return the functions by their names.

    Args:
        module: the plugin that gets them.
        options: what it was granted.
    """
    functions = _Functions(module, options)
    return {function.__name__: host_function(function) for function in (functions.config_get,)}


class _Functions:
    """The functions, for one instance of a plugin."""

    def __init__(self, module: Module, options: PluginOptions) -> None:
        self._config = dict(options.config or {})

    def config_get(self, key: str) -> str | None:
        """Return the value of a name; None where the configuration has no such name."""
        return self._config.get(key)
