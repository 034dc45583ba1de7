"""What is wrong with DAG files, told before they run: findings, each with its place and the way out.

A file a family: pure functions from DAGs, or from the text of their files, to findings. A check speaks only
where it is sure; what may be meant is a hint.
"""
