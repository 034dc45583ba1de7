"""A task that fails twice and then succeeds."""

from datetime import timedelta

from flowlet import DAG, task

with DAG("retries") as dag:

    @task(retries=3, retry_delay=timedelta(seconds=1), retry_exponential_backoff=True)
    def flaky(ti):
        if ti.try_number < 3:
            raise ConnectionError(f"try {ti.try_number} was refused")
        return f"worked at try {ti.try_number}"

    flaky()
