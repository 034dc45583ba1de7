from airflow.sdk import DAG, Param
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d", params={"x": Param(None, type=["null", "string"])}):
    BashOperator(task_id="a", bash_command="{{ params.x }} {{ params.get('y') }}")
