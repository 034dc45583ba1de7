"""The SQLite file: schema, statements, lease, one writer.

Knows rows and moves, never a DAG object or an operator.
"""
