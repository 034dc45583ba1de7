from airflow.sdk import dag, task


@dag
def d():
    @task
    def a():
        x = [1, 2]
        return {"n": sum(x)}

    @task
    def b(n):
        print(n)

    b(a()["n"])  # error: xcom-key


d()
