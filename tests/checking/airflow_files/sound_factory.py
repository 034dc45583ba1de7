from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
import pendulum

S = pendulum.datetime(2026, 1, 1, tz="UTC")

import os


def make(n):
    with DAG(n, schedule="@daily", start_date=S, catchup=False) as d:
        prev = None
        for i in range(4):
            t = BashOperator(task_id=f"t{i}", bash_command=f"echo {i} {{{{ ds }}}}")
            if prev:
                prev >> t
            prev = t
    return d


for n in ("x", "y", "z"):
    globals()[n] = make(n)
