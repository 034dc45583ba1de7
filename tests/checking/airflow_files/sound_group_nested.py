from airflow.sdk import dag, task, task_group


@task_group
def outer(x):
    @task
    def i(x):
        return x

    @task_group
    def inner(y):
        @task
        def j(y):
            return y

        return j(y)

    return inner(i(x))


@dag
def d():
    outer(3)


d()
