"""Modules made at random: valid ones from the opcode table, and broken ones from valid ones.

Every function takes a `random.Random`. Given one of Hypothesis's `randoms()`, Hypothesis shrinks
what it makes.
"""
