"""Many HTTP calls at once, as coroutines, against a server on this machine."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flowlet import DAG, task

PAGES = 20


class Pages(BaseHTTPRequestHandler):
    """Answers /3 with 9."""

    def do_GET(self):
        body = str(int(self.path[1:]) ** 2).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Quiet."""


class Listening(ThreadingHTTPServer):
    """Takes all calls at once: of more than 5 (the default) the rest would try again a second later."""

    request_queue_size = PAGES


class Server:
    """The server of the run that is going on."""

    running = None


with DAG("fanout_http", max_active_tasks=PAGES) as dag:

    @task
    def serve() -> int:
        Server.running = Listening(("127.0.0.1", 0), Pages)
        threading.Thread(target=Server.running.serve_forever, args=[0.05], daemon=True).start()
        return Server.running.server_address[1]

    @task
    async def fetch(port: int, page: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /{page} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return int(answer.split(b"\r\n\r\n")[1])

    @task
    def total(answers: list[int]) -> int:
        return sum(answers)

    @task(trigger_rule="all_done")
    def stop() -> None:
        Server.running.shutdown()
        Server.running.server_close()

    port = serve()
    total([fetch.override(task_id=f"fetch_{page}")(port, page) for page in range(PAGES)]) >> stop()
