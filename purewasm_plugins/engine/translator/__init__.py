"""The translator: each WebAssembly function becomes, on its first call, a Python function."""

from purewasm_plugins.engine.translator.linking import Translator
from purewasm_plugins.engine.translator.source import translate

__all__ = ["Translator", "translate"]
