"""The functions of the module `purewasm`, as a plugin imports them; `ABI.md` is normative."""

from __future__ import annotations

from purewasm_plugins.capabilities.answers import REFUSED, answer
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.host_functions import HostFunction, host_function
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.runtime.imports import Caller
from purewasm_plugins.support.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import HttpClient

__all__ = ["capability_functions"]


def capability_functions(
    module: Module, options: PluginOptions
) -> dict[str, HostFunction[..., Any]]:
    """Return the functions by their names.

    Args:
        module: the plugin that gets them.
        options: what it was granted.
    """
    functions = _Functions(options)
    found = (functions.config_get, functions.http_request)
    return {function.__name__: host_function(function) for function in found}


class _Functions:
    """The functions, for one instance of a plugin."""

    def __init__(self, options: PluginOptions) -> None:
        self._config = dict(options.config or {})
        self._http: HttpClient | None = None
        if options.http is not None:
            # Imported here, with `http.client` and `ssl`.
            from purewasm_plugins.capabilities.http import HttpClient

            self._http = HttpClient(options.http)

    def config_get(self, key: str) -> str | None:
        """Return the value of a name; None where the configuration has no such name."""
        return self._config.get(key)

    def http_request(
        self, caller: Caller, method: str, url: str, headers: str, body: str
    ) -> str | None:
        """Answer with the response to a request."""
        client = self._http
        if client is None:
            return REFUSED + "HTTP was not granted"
        return answer(caller, lambda: client.request(caller, method, url, headers, body))
