from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import datetime

args = dict(owner="me", start_date=datetime.datetime(2026, 1, 1))  # hint: naive-date
with DAG("d", default_args=args):
    EmptyOperator(task_id="a")
