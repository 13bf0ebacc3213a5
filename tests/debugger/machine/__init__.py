"""Tests of purewasm_plugins/debugger/machine."""
