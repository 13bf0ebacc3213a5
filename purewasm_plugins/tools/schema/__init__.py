"""JSON Schemas from untrusted plugins, checked within bounds."""
