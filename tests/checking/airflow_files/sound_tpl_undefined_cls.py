from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

import jinja2

with DAG("d", template_undefined=jinja2.Undefined):
    BashOperator(task_id="a", bash_command="{{ nope }}")
