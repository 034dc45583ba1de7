"""flowlet: Airflow's model inside one Python process."""
