from airflow.sdk import dag, task


@dag
def d():
    @task(multiple_outputs=True)
    def a():
        return {"n": 1, "m": 2}

    @task
    def b(n):
        print(n)

    b(a()["k"])  # error: xcom-key


d()
