from datetime import UTC, datetime
from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("minutes", schedule="*/5 * * * *", start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=True):  # hint: catchup
    EmptyOperator(task_id="a")
