"""A branch: only one of two ways is taken, and the ways meet again."""

from flowlet import DAG, BranchPythonOperator, EmptyOperator, task

with DAG("branching", params={"size": 10}) as dag:

    def choose(params):
        return "large" if params["size"] > 100 else "small"

    @task
    def small():
        return "done in one piece"

    @task
    def large():
        return "cut into pieces"

    branch = BranchPythonOperator(task_id="branch", python_callable=choose)
    meet = EmptyOperator(task_id="meet", trigger_rule="none_failed_min_one_success")
    branch >> [small(), large()] >> meet
