from datetime import datetime
from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("naive", schedule="@daily", start_date=datetime(2026, 1, 1)):  # hint: naive-date
    EmptyOperator(task_id="a")
