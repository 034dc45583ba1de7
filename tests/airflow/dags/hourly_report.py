"""Airflow 2: dag as an argument everywhere, tasks in a dict, bit shifts with lists, doc strings, `if __name__`."""

import datetime as dt

import airflow
from airflow.models import DAG, Variable
from airflow.operators.bash_operator import BashOperator
from airflow.operators.python_operator import BranchPythonOperator, PythonOperator
from airflow.utils.state import State

default_args = {
    "owner": "airflow",
    "depends_on_past": True,
    "start_date": airflow.utils.dates.days_ago(2000),
    "retries": 3,
    "retry_delay": dt.timedelta(seconds=30),
    "max_retry_delay": dt.timedelta(minutes=10),
}

dag = DAG(
    "hourly_report",
    default_args=default_args,
    description="A report each hour",
    schedule_interval="@hourly",
    max_active_runs=1,
    access_control={"analysts": {"can_read"}},
)
dag.doc_md = __doc__


def decide(**context):
    runs = context["dag_run"]
    assert runs.run_type == "manual" and context["ti"].state == State.RUNNING
    hour = context["execution_date"].hour
    return "full" if hour == 0 else "quick"


tasks = {}
for name in ("full", "quick"):
    tasks[name] = BashOperator(task_id=name, bash_command="echo " + name + " {{ execution_date.isoformat() }} {{ ts_nodash }}", dag=dag)
    tasks[name].doc_md = f"Makes the {name} report"

decision = BranchPythonOperator(task_id="decide", python_callable=decide, provide_context=True, dag=dag)
last = PythonOperator(
    task_id="last",
    python_callable=lambda ds, **kw: Variable.get("receiver_" + ds, default_var="nobody"),
    provide_context=True,
    trigger_rule="one_success",
    dag=dag,
)
decision >> list(tasks.values()) >> last

if __name__ == "__main__":
    dag.cli()
