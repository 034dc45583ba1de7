"""Two tasks, as in every introduction to Airflow: `flowlet run examples/hello.py`."""

from datetime import datetime

from flowlet import DAG, BashOperator, PythonOperator


def my_task():
    print("Hello from flowlet")
    return "hello"


with DAG(dag_id="example_dag", start_date=datetime(2024, 1, 1), schedule="@daily", catchup=False) as dag:
    task1 = PythonOperator(task_id="print_hello", python_callable=my_task)
    task2 = BashOperator(task_id="list_files", bash_command="ls -al")
    task1 >> task2
