from airflow.sdk import DAG, task

with DAG("d"):

    @task(templates_dict={"q": "{{ dss }}"})
    def a(templates_dict=None):
        pass

    a()  # error: undefined-name
