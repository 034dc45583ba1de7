from airflow.sdk import DAG, task

with DAG("d"):

    @task.bash(env={"A": "{{ runid }}"})
    def a():
        return "env"

    a()  # error: undefined-name
