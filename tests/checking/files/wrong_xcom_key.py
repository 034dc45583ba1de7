from flowlet import DAG, task

@task
def numbers():
    return {"a": 1, "b": 2}


@task
def show(number):
    print(number)


with DAG("keys"):
    show(numbers()["a"])  # error: xcom-key
