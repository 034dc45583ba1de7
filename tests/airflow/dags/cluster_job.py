"""Airflow 3: a cluster made before the work and taken down after it, whatever the work did."""

from airflow.sdk import dag, setup, task, teardown


@dag(schedule=None, tags=["cluster"])
def cluster_job():
    @setup
    def create_cluster():
        return "cluster-1"

    @task
    def run_query(cluster):
        raise RuntimeError(f"{cluster} is out of memory")

    @teardown
    def delete_cluster(cluster):
        return f"deleted {cluster}"

    cluster = create_cluster()
    cluster >> run_query(cluster) >> delete_cluster(cluster)


cluster_job()
