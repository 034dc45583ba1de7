from airflow.sdk import dag, task


@dag(schedule=None)
def d():
    @task
    def a(x=None):
        return 1

    @task
    def b(x):
        return 2

    t = a()
    u = b(t)
    u >> t


d()  # error: loading
