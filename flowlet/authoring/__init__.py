"""What a user writes: DAGs, operators, decorators, edges.

Building a DAG describes; it runs nothing, waits for nothing and touches no disk.
"""
