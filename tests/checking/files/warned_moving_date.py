from datetime import UTC, datetime, timedelta
from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

START = datetime.now(UTC) - timedelta(days=1)

with DAG("moving", schedule="@daily", start_date=START):  # warning: moving-date
    EmptyOperator(task_id="a")
