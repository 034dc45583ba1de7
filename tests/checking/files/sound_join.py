from flowlet import DAG, task
from flowlet.operators.empty import EmptyOperator

@task.branch
def choose(params):
    if params:
        return "left"
    return "joined"


with DAG("sound_join"):
    left = EmptyOperator(task_id="left")
    joined = EmptyOperator(task_id="joined", trigger_rule="none_failed_min_one_success")
    branch = choose()
    branch >> left >> joined
    branch >> joined
