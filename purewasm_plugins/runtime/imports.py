"""The imports of an instance: `Imports`, and the `Caller` that a host function may take."""

from __future__ import annotations

from purewasm_plugins.runtime.instance import Caller
from purewasm_plugins.support.typed import Any, Mapping

__all__ = ["Caller", "Imports"]

#: Module name to import name to what is imported: a Python callable, a `RawFunction`, a `Function`,
#: a `Memory`, a `Table` or a `Global`.
Imports = Mapping[str, Mapping[str, Any]]
