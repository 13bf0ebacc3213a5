"""The functions of the module `purewasm`, as a plugin imports them; `ABI.md` is normative."""

from __future__ import annotations

from purewasm_plugins.capabilities.answers import REFUSED, answer
from purewasm_plugins.module import Module
from purewasm_plugins.plugin.host_functions import HostFunction, host_function
from purewasm_plugins.plugin.options import PluginOptions
from purewasm_plugins.runtime.imports import Caller
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import HttpClient
    from purewasm_plugins.capabilities.key_value import KeyValueClient

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
    found: tuple[Callable[..., str | None], ...] = (
        functions.config_get,
        functions.http_request,
        functions.kv_get,
        functions.kv_set,
        functions.kv_delete,
        functions.kv_list,
    )
    return {function.__name__: host_function(function) for function in found}


class _Functions:
    """The functions, for one instance of a plugin."""

    def __init__(self, module: Module, options: PluginOptions) -> None:
        self._config = dict(options.config or {})
        self._http: HttpClient | None = None
        if options.http is not None:
            # Imported here, with `http.client` and `ssl`.
            from purewasm_plugins.capabilities.http import HttpClient

            self._http = HttpClient(options.http)
        self._kv: KeyValueClient | None = None
        if options.kv is not None:
            from hashlib import sha256

            from purewasm_plugins.capabilities.key_value import KeyValueClient

            self._kv = KeyValueClient(options.kv, sha256(module.data).hexdigest())

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

    def kv_get(self, caller: Caller, key: str) -> str | None:
        """Answer with the value of a key, or with none."""
        return self._stored(caller, lambda store: store.get(caller, key))

    def kv_set(self, caller: Caller, key: str, value: str) -> str | None:
        """Set the value of a key; answer with nothing."""
        return self._stored(caller, lambda store: store.set(caller, key, value))

    def kv_delete(self, caller: Caller, key: str) -> str | None:
        """Remove a key; answer with nothing."""
        return self._stored(caller, lambda store: store.delete(caller, key))

    def kv_list(self, caller: Caller, prefix: str) -> str | None:
        """Answer with the keys that begin with a prefix, a line for each."""
        return self._stored(caller, lambda store: store.list(caller, prefix))

    def _stored(self, caller: Caller, ask: Callable[[KeyValueClient], str | None]) -> str | None:
        client = self._kv
        if client is None:
            return REFUSED + "a key-value store was not granted"
        return answer(caller, lambda: ask(client))
