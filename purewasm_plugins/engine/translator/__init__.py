"""The translator: an engine that translates each function to Python on the function's first call.

Read `function` first: it goes through the instructions of one function. What it writes is in
`writer` (`lines`, `operands`, `locals`); `control` decides how constructs are written, and `blocks`
and `branches` write them. `source` compiles the text, and `linking` calls the result.
"""

from purewasm_plugins.engine.translator.linking import Translator

__all__ = ["Translator"]
