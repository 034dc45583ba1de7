"""Airflow 2: train some models, branch on the best accuracy, join behind the branch."""

from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator

ACCURACY = {"A": 3, "B": 9, "C": 7}


def _training(model):
    return ACCURACY[model]


def _choose_best_model(ti):
    accuracies = ti.xcom_pull(task_ids=["training_model_A", "training_model_B", "training_model_C"])
    if max(accuracies) > 8:
        return "accurate"
    return "inaccurate"


with DAG("choose_model", start_date=datetime(2021, 1, 1), schedule_interval="@daily", catchup=False) as dag:
    training = [
        PythonOperator(
            task_id=f"training_model_{model}", python_callable=_training, op_kwargs={"model": model}
        )
        for model in ["A", "B", "C"]
    ]
    choose = BranchPythonOperator(task_id="choose_best_model", python_callable=_choose_best_model)
    accurate = BashOperator(task_id="accurate", bash_command="echo 'accurate'")
    inaccurate = BashOperator(task_id="inaccurate", bash_command="echo 'inaccurate'")
    join = DummyOperator(task_id="join", trigger_rule="none_failed_min_one_success")

    training >> choose >> [accurate, inaccurate] >> join
