"""One attempt of one task: context, templates, call, logs, outcome.

Knows no other task, no scheduler, no store.
"""
