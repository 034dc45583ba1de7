from flowlet import DAG, task

@task(multiple_outputs=True)
def many():
    return {"a": 1}


@task
def pushes(ti):
    ti.xcom_push("a", 1)


def push_elsewhere():
    from flowlet import get_current_context

    get_current_context()["ti"].xcom_push("a", 1)


@task
def through_another():
    push_elsewhere()


@task
def typed() -> dict[str, int]:
    return {"a": 1}


@task
def show(*numbers):
    print(numbers)


with DAG("sound_xcoms"):
    show(many()["a"], pushes()["a"], through_another()["a"], typed()["a"])
