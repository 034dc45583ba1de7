from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

from airflow.sdk import BaseOperator


class Mine(BaseOperator):
    template_fields = ("sql",)
    template_ext = (".sql",)

    def __init__(self, sql, **kw):
        super().__init__(**kw)
        self.sql = sql

    def execute(self, context):
        context["ti"].xcom_push(key="n", value=1)
        return 3


with DAG("d"):
    m = Mine(task_id="m", sql="select '{{ ds }}'")
    BashOperator(
        task_id="b", bash_command="echo {{ ti.xcom_pull(task_ids='m',key='n') }}", env={"K": m.output["n"]}
    )
