"""Limits on the content of a module (core specification, appendix "Implementation Limitations").

They bound the time and memory that decoding and validating a module can take; `ResourceLimits`
bounds an instance. The numbers are those of the WebAssembly JavaScript API, which all browsers use:
a module that is refused here does not load in a browser either. Where a million Python objects
would take too much memory the number is smaller, and some limits are on sums.
"""

from __future__ import annotations

MAX_MODULE_SIZE = 1 << 30
"""The bytes of a module."""

MAX_TYPES = 1_000_000
MAX_FUNCTIONS = 50_000
"""The API has a million, but a function takes more than a kilobyte of an instance."""

MAX_IMPORTS = 1_000_000
MAX_EXPORTS = 1_000_000
MAX_GLOBALS = 100_000
"""The API has a million, but a global takes half a kilobyte of an instance."""

MAX_TABLES = 1_000
"""The API has a hundred thousand, but growing a table adds up the sizes of the others."""

MAX_MEMORIES = 100_000
MAX_DATA_SEGMENTS = 100_000
MAX_ELEMENT_SEGMENTS = 10_000_000

MAX_TABLE_ELEMENTS = 10_000_000
"""The entries of a table when it is created."""

MAX_PARAMETERS = 1_000
MAX_RESULTS = 1_000
MAX_LOCALS = 50_000
"""The locals of a function, including its parameters."""

MAX_FUNCTION_SIZE = 7_654_321
"""The bytes of a function body, including its declarations of locals."""

MAX_BRANCH_TABLE_SIZE = 65_520
"""The labels of a `br_table`, without the default."""

# The API has no numbers for the rest, which bound the cost of validation. Modules from compilers
# stay below them by a factor of hundreds.

MAX_DEFINITIONS = 250_000
"""The sum of types, imports, functions, tables, memories, globals, exports, segments, items of
element segments that are expressions, groups of locals of all functions, and custom sections. Each
of them can be three bytes of the module, and is a Python object of a hundred bytes or more."""

MAX_ITEMS = 2_000_000
"""The items of all element segments together."""

MAX_TYPE_VALUES = 2_000_000
"""The parameters and results of all types together."""

MAX_NAMES = 250_000
"""The names of the name section together; further names are ignored."""

MAX_NESTED_BLOCKS = 200_000
"""The blocks of a function that are open at a time."""

MAX_OPERANDS = 100_000
"""The operands of a function that are on the stack at a time."""

MAX_OPERAND_CHECKS = 300_000
BYTES_PER_OPERAND_CHECK = 4
"""The operands that the validator examines one by one: `MAX_OPERAND_CHECKS`, plus one for each
`BYTES_PER_OPERAND_CHECK` bytes of the module. An instruction of two bytes can require two thousand
checks, for a thousand parameters and a thousand results. Modules of six megabytes from compilers
need a thousand in all."""
