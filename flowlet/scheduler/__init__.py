"""Decides when and what; the one loop that carries it out; limits, recovery, ticks.

Never runs user code.
"""
