from flowlet import DAG
from flowlet.operators.empty import EmptyOperator

import time
from urllib.request import urlopen

if not hasattr(time, "a_name_that_it_lacks"):
    urlopen_later = urlopen
else:
    time.sleep(60)  # warning: slow-file
    urlopen("http://localhost/")  # warning: slow-file

with DAG("slow"):
    EmptyOperator(task_id="a")
