from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d", user_defined_macros={"mine": lambda x: x, "const": 3}, user_defined_filters={"up": str.upper}):
    BashOperator(
        task_id="a",
        bash_command="""{% set n = 3 %}{% macro hi(x) %}{{ x }}{% endmacro %}{% for i in range(n) %}{{ loop.index }} {{ hi(i) }}{% endfor %}
    {{ mine(ds) | up }} {{ const }} {{ namespace(a=1).a }} {{ dict(a=1).a }} {{ joiner(",") }} {{ cycler(1,2).next() }} {{ lipsum }} {% raw %}{{ nope }}{% endraw %} {# {{ nope }} #}""",
    )
