from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator.partial(task_id="a", bash_command="echo {{ dss }} $X").expand(env=[{"X": "1"}])  # error: undefined-name
