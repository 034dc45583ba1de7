from datetime import UTC, datetime
from flowlet import DAG

DAG("backwards", start_date=datetime(2026, 2, 1, tzinfo=UTC), end_date=datetime(2026, 1, 1, tzinfo=UTC))  # error: loading
