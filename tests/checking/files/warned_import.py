from flowlet import DAG

import a_module_that_nobody_has  # warning: not-checked

dag = DAG("imports")
print(a_module_that_nobody_has)
