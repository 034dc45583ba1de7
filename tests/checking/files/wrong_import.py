from flowlet import DAG

import a_module_that_nobody_has  # error: loading

dag = DAG("imports")
print(a_module_that_nobody_has)
