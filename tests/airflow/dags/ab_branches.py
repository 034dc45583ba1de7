"""Airflow 2: branches with labels, joins by trigger rules as strings, pools, priorities, queues."""

from airflow import DAG
from airflow.models.baseoperator import chain, cross_downstream
from airflow.operators.bash import BashOperator
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator
from airflow.utils.dates import days_ago
from airflow.utils.edgemodifier import Label

args = {
    "owner": "growth",
    "start_date": days_ago(2000),
    "pool": "default_pool",
    "priority_weight": 5,
    "weight_rule": "upstream",
    "queue": "default",
    "wait_for_downstream": False,
    "depends_on_past": False,
    "execution_timeout": None,
    "retry_exponential_backoff": True,
}


def choose(**kwargs):
    share = kwargs["ti"].xcom_pull(task_ids="measure")
    return ["big.prepare", "log_it"] if share > 0.5 else "small"


with DAG("ab_branches", default_args=args, schedule_interval="@weekly", catchup=False, is_paused_upon_creation=False) as dag:
    measure = PythonOperator(task_id="measure", python_callable=lambda: 0.7)
    branch = BranchPythonOperator(task_id="branch", python_callable=choose, do_xcom_push=False)
    prepare = DummyOperator(task_id="big.prepare")
    log_it = BashOperator(task_id="log_it", bash_command="echo branch of {{ dag.dag_id }}: {{ task.task_id }}")
    small = DummyOperator(task_id="small", pool_slots=1)
    join = DummyOperator(task_id="join", trigger_rule="none_failed_or_skipped")
    one, two = DummyOperator(task_id="one"), DummyOperator(task_id="two")
    failed = DummyOperator(task_id="alarm", trigger_rule="one_failed")

    measure >> branch
    branch >> Label("share > 0.5") >> prepare
    branch >> Label("else") >> small
    branch >> log_it
    cross_downstream([prepare, log_it, small], [join, failed])
    chain(join, [one, two], DummyOperator(task_id="end", trigger_rule="all_done"))
