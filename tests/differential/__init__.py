"""Our engines compared with wasmtime: machines, comparison, rewritten modules."""
