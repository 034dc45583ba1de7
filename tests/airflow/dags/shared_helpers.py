"""What several DAG files of this folder import; it describes no DAG."""

from airflow.operators.bash import BashOperator
from airflow.utils.log.logging_mixin import LoggingMixin


class Steps(LoggingMixin):
    def step(self, name, command):
        self.log.info("step %s", name)
        return BashOperator(task_id=name, bash_command=command, append_env=True, env={"STEP": name})
