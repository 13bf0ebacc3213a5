"""JSON Schemas of strangers, checked within bounds."""
