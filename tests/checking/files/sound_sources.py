from datetime import UTC, datetime
from flowlet import DAG
from flowlet.operators.python import PythonOperator

import time


def body():
    time.sleep(1)
    return {"start_date": datetime.now(UTC)}


with DAG("sound_sources", schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=True):
    PythonOperator(task_id="a", python_callable=body)

if __name__ == "__main__":
    time.sleep(1)
