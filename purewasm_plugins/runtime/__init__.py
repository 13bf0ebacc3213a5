"""What an instance is: functions, memories, tables, globals, their values and their limits."""
