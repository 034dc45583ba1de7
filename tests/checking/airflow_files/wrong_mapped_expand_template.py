from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator.partial(task_id="a").expand(bash_command=["echo {{ dss }}", "x"])  # error: undefined-name
