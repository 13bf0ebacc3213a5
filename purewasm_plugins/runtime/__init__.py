"""Instances: functions, memories, tables, globals, their values and their limits."""
