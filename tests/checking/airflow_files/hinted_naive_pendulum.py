from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import pendulum

with DAG("d", start_date=pendulum.naive(2026, 1, 1)):  # hint: naive-date
    EmptyOperator(task_id="a")
