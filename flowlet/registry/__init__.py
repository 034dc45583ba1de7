"""Which DAGs exist: files are loaded in isolation, their errors are values.

One broken file never hides the others.
"""
