from airflow.sdk import DAG, TaskGroup
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    with TaskGroup("g"):
        t = BashOperator(task_id="t", bash_command="date")
    BashOperator(task_id="u", bash_command="echo ", env={"A": t.output["foo"]})  # error: xcom-key
