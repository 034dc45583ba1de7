"""Airflow 3: params with a schema, every kind of decorator, context by name."""

import sys

from airflow.sdk import DAG, Param, PokeReturnValue, get_current_context, task, task_group

with DAG(
    "asked_for",
    schedule=None,
    params={
        "country": Param("nl", type="string", enum=["nl", "de"], title="Country"),
        "days": Param(3, type="integer", minimum=1, maximum=7),
    },
    render_template_as_native_obj=True,
) as dag:

    @task.bash
    def say() -> str:
        return "echo {{ params.country }}"

    @task.branch
    def which(params):
        return "long_way" if params["days"] > 2 else "short_way"

    @task.short_circuit
    def is_open():
        return get_current_context()["params"]["country"] == "nl"

    @task.sensor(poke_interval=60, timeout=3600, mode="reschedule")
    def ready() -> PokeReturnValue:
        return PokeReturnValue(is_done=True, xcom_value="seen")

    @task.external_python(python=sys.executable)
    def elsewhere(days):
        return days + 1

    @task
    async def long_way(ti):
        return ti.task_id

    @task
    def short_way():
        pass

    @task_group(group_id="last")
    def last(value):
        @task
        def show(value):
            return value

        return show(value)

    say() >> which() >> [long_way(), short_way()]
    is_open() >> ready()
    last(elsewhere("{{ params.days }}"))
