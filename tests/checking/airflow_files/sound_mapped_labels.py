from airflow.sdk import DAG, get_current_context, task
from airflow.providers.standard.operators.bash import BashOperator

with DAG("d"):

    @task(map_index_template="{{ label }}", doc_md="Say `{{ anything }}` and {% this %}.")
    def a(x):
        context = get_current_context()
        context["label"] = f"item {x}"

    a.expand(x=[1, 2])

    @task(map_index_template="{{ label }}")
    def b(x, y, **context):
        context["label"] = f"item {x} {y}"

    b.partial(y="{{ ds }}").expand(x=["{{ run_id }}"])
    BashOperator.partial(task_id="c", map_index_template="{{ task.env['X'] }} {{ mine }}", bash_command="true").expand(env=[{"X": "1"}])
