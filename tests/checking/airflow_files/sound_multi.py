from airflow.sdk import dag, task


@dag
def d():
    @task(multiple_outputs=True)
    def a():
        return {"n": 1, **{str(i): i for i in range(3)}}

    @task
    def e() -> dict[str, int]:
        return {"z": 1}

    @task
    def b(n, m, o):
        print(n)

    x = a()
    b(x["n"], x["2"], e()["z"])


d()
