from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
import datetime, pendulum

from zoneinfo import ZoneInfo
from datetime import timezone
import datetime as dt
from dateutil import tz

A = dt.datetime(2026, 1, 1, tzinfo=timezone.utc)
with DAG("a", start_date=A, end_date=dt.datetime(2030, 1, 1, tzinfo=ZoneInfo("UTC"))):
    EmptyOperator(task_id="x")
with DAG("b", start_date=dt.datetime.fromisoformat("2026-01-01T00:00:00+00:00")):
    EmptyOperator(task_id="x")
with DAG("c", start_date=dt.datetime.strptime("2026-01-01 +0000", "%Y-%m-%d %z")):
    EmptyOperator(task_id="x")
with DAG("e", start_date=dt.datetime(2026, 1, 1).replace(tzinfo=timezone.utc)):
    EmptyOperator(task_id="x")
with DAG("f", start_date=dt.datetime(2026, 1, 1).astimezone(timezone.utc)):
    EmptyOperator(task_id="x")
with DAG("g", start_date=pendulum.parse("2026-01-01")):
    EmptyOperator(task_id="x")
with DAG("h", start_date=dt.datetime.strptime("2026-01-01", "%Y-%m-%d").replace(tzinfo=timezone.utc)):
    EmptyOperator(task_id="x")
