from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("d"):
    a = EmptyOperator(task_id="a")
    a >> BashOperator(  # error: unknown-task
        task_id="b", bash_command="env ", env={"X": "{{ task_instance.xcom_pull(task_ids=['zz','a']) }}"}
    )
