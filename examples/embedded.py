"""flowlet inside a program of your own: `python examples/embedded.py`."""

import asyncio

from flowlet import DAG, Engine, task

with DAG("greet") as greet:

    @task
    async def name(dag_run) -> str:
        return dag_run.conf.get("name", "world")

    @task
    def hello(who: str) -> str:
        return f"hello {who}"

    hello(name())


async def main() -> str:
    async with Engine(":memory:", dags=[greet]) as engine:
        run = await engine.trigger("greet", conf={"name": "flowlet"})
        await run.wait()
        return await run.xcom("hello")


if __name__ == "__main__":
    print(asyncio.run(main()))
