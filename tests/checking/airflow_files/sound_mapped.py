from airflow.sdk import DAG, task
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):

    @task
    def a(x):
        return x

    m = a.expand(x=[1, 2])

    @task
    def s(xs):
        return sum(xs)

    s(m)
    BashOperator.partial(task_id="b", bash_command="echo {{ ds }} $X").expand(env=[{"X": "1"}])
    BashOperator(
        task_id="c", bash_command="echo {{ ti.xcom_pull(task_ids='a', map_indexes=0) }} {{ ti.map_index }}"
    )
