from flowlet import DAG
from flowlet.operators.bash import BashOperator

with DAG("sound_templates", schedule="@daily", params={"x": 1}, user_defined_macros={"twice": lambda n: 2 * n}):
    a = BashOperator(task_id="a", bash_command="echo {{ ds }} {{ twice(params.x) }} {{ macros.ds_add(ds, 1) }} {{ range(3) }}")
    a >> BashOperator(
        task_id="b",
        bash_command="echo {{ ti.xcom_pull(task_ids='a') }} {{ ti.xcom_pull(task_ids='z', dag_id='other') }}"
        " {{ other | default('none') }} {% if that is defined %}{{ that }}{% endif %} {{ params.get('y') }}"
        " {% for n in [1, 2] %}{{ n }}{% endfor %} {{ params.z | default(1) }}",
    )
