"""The pywasm engine: the reference, all that touches pywasm's machine."""
