from flowlet import DAG, task
from flowlet.operators.empty import EmptyOperator


@task.branch
def choose(params):
    if params:
        return "left"
    if params is None:
        return "right"
    return list(params)  # perhaps both


@task.branch
def choose_in_pieces(params):
    yield "both"
    if params:
        return "one"
    return "other"


with DAG("sound_choices"):
    choose() >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")] >> EmptyOperator(task_id="joined")
    choose_in_pieces() >> [EmptyOperator(task_id="one"), EmptyOperator(task_id="other")] >> EmptyOperator(task_id="both")
