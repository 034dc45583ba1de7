"""Airflow 1.10 style: old module names, dag= on every task, set_upstream, a loop over tables."""

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.operators.bash_operator import BashOperator
from airflow.operators.dummy_operator import DummyOperator
from airflow.operators.python_operator import PythonOperator
from airflow.utils.trigger_rule import TriggerRule

dag = DAG(
    dag_id="nightly_reports",
    schedule_interval="30 2 * * *",
    start_date=datetime(2019, 1, 1),
    catchup=False,
    default_args={"owner": "bi", "start_date": datetime(2019, 1, 1), "sla": timedelta(hours=2)},
    dagrun_timeout=timedelta(hours=1),
)

start = DummyOperator(task_id="start", dag=dag)
done = DummyOperator(task_id="done", trigger_rule=TriggerRule.ALL_DONE, dag=dag)

for table in ["customers", "orders", "refunds"]:
    export = BashOperator(
        task_id="export_" + table,
        bash_command="echo {{ params.table }} {{ ds_nodash }} {{ macros.ds_add(ds, -7) }}",
        params={"table": table},
        xcom_push=True,
        dag=dag,
    )
    export.set_upstream(start)
    export.set_downstream(done)


def check(*args, **kwargs):
    return args[0] + kwargs["suffix"]


PythonOperator(
    task_id="check", python_callable=check, op_args=["ok"], op_kwargs={"suffix": "!"}, dag=dag
).set_upstream(done)
