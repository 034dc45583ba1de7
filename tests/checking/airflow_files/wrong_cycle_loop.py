from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):  # error: loading
    ts = [EmptyOperator(task_id=f"t{i}") for i in range(5)]
    for x, y in zip(ts, ts[1:] + ts[:1]):
        x >> y
