"""What happened and what may happen next: states, legal moves, readiness, retries, run outcome.

Plain functions on plain objects: no I/O, no clock, no await.
"""
