from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):
    BashOperator(
        task_id="a",
        bash_command="{{ dag_run.conf.get('x','y') }} {{ dag_run.conf['z'] }} {{ params.q | default('a') }} {{ var.value.get('k','v') }} {{ var.json.k.a }} {{ conn.mine.host }} {% if nope is defined %}{{ nope }}{% endif %} {{ other or '' if other is defined else 'n' }}",
    )
