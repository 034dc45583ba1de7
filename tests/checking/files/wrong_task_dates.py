from datetime import UTC, datetime
from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("dates"):
    EmptyOperator(task_id="a", start_date=datetime(2026, 2, 1, tzinfo=UTC), end_date=datetime(2026, 1, 1, tzinfo=UTC))  # error: dates
