from flowlet import DAG

dag = DAG("empty")  # warning: no-tasks
