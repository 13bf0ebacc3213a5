"""The place of `wasmtime.component`, whose import is refused: there is no component model here."""

raise ImportError(
    "there is no wasmtime.component: purewasm-plugins runs core modules, and no components",
    name="wasmtime.component",
)
