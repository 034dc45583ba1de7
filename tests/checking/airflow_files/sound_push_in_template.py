from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    a = BashOperator(task_id="a", bash_command="echo {{ ti.xcom_push(key='sum', value=3) }}")
    a >> BashOperator(task_id="b", bash_command="echo {{ ti.xcom_pull(task_ids='a', key='sum') }}", env={"SUM": a.output["sum"]})

with DAG("e", user_defined_macros={"keep": lambda ti: ti.xcom_push("sum", 3)}):
    c = BashOperator(task_id="c", bash_command="echo {{ keep(ti) }}")
    c >> BashOperator(task_id="d", bash_command="echo {{ ti.xcom_pull(task_ids='c', key='sum') }}")
