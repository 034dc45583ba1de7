"""A sensor waits for what another task does; between two looks it holds no thread."""

import tempfile
from pathlib import Path

from flowlet import DAG, PythonSensor, task

FLAG = "{{ ti.xcom_pull(task_ids='place') }}"

with DAG("sensor") as dag:

    @task
    def place() -> str:
        return str(Path(tempfile.mkdtemp()) / "ready")

    @task
    async def write(path: str) -> None:
        Path(path).write_text("ready")

    @task
    def read(path: str) -> str:
        return Path(path).read_text()

    where = place()
    wait = PythonSensor(
        task_id="wait", python_callable=lambda path: Path(path).exists(), op_args=[FLAG], poke_interval=1, timeout=60
    )
    where >> wait
    write(where)
    wait >> read(where)
