from airflow.sdk import DAG, Param
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d", schedule=None, params={"x": Param(type="string")}):
    BashOperator(task_id="a", bash_command="{{ params.x }}")
