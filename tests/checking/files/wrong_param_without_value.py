from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

from flowlet import Param

with DAG("asks", schedule="@daily", params={"day": Param(type="string")}):  # error: loading
    EmptyOperator(task_id="a")
