"""The client of Airflow's API before a server that breaks over its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.airflow import api
from pipeline.airflow.api import AirflowClient, AirflowError


class Server(ThreadingHTTPServer):
    """Answers with the statuses it's told, in turn, and with 200 after that. A run is started also when the answer breaks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.asked: list[str] = []
        self.runs: list[str] = []
        self.slow = threading.Event()  # set: a question waits until `go`
        self.go = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            return self._answer(200, {"access_token": "t"})
        known = body["dag_run_id"] in self.server.runs
        if not known:
            self.server.runs.append(body["dag_run_id"])
        return self._answer(409 if known else self._next(), {"dag_run_id": body["dag_run_id"]})

    def do_GET(self) -> None:
        if self.server.slow.is_set():
            self.server.go.wait(30)
        self._answer(self._next(), {"dag_runs": []})

    def _next(self) -> int:
        return self.server.statuses.pop(0) if self.server.statuses else 200

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.server.asked.append(f"{self.command} {status}")
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(api, "_PAUSES_S", (0.0, 0.0))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client(server: Server) -> AirflowClient:
    return AirflowClient(server.server_address[1], user="admin", password="p")


def test_a_run_is_started_once_also_when_the_server_breaks_over_the_answer(server: Server) -> None:
    server.statuses = [500]
    assert client(server).trigger("shop") == server.runs[0]
    assert len(server.runs) == 1
    assert server.asked == ["POST 200", "POST 500", "POST 409"]


def test_two_runs_have_two_names(server: Server) -> None:
    first, second = client(server).trigger("shop"), client(server).trigger("shop")
    assert first != second
    assert server.runs == [first, second]


def test_a_server_that_is_full_is_asked_again(server: Server) -> None:
    server.statuses = [503, 500]
    assert client(server).unfinished("shop") == ()
    assert server.asked[1:] == ["GET 503", "GET 500", "GET 200"]


def test_not_for_ever(server: Server) -> None:
    server.statuses = [500] * 9
    with pytest.raises(AirflowError, match=r"refused GET .* with 500") as caught:
        client(server).unfinished("shop")
    assert caught.value.status == 500
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_is_an_answer(server: Server, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(AirflowError) as caught:
        client(server).unfinished("shop")
    assert caught.value.status == status
    assert len(server.asked) == 2


def test_a_slow_answer_is_waited_for(server: Server) -> None:
    server.slow.set()
    threading.Timer(0.5, server.go.set).start()
    assert client(server).unfinished("shop") == ()
    assert server.asked[1:] == ["GET 200"]


def test_what_is_too_slow_is_told_and_not_well(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_HEALTH_S", 0.2)
    server.slow.set()
    hasty = AirflowClient(server.server_address[1], user="admin", password="p", timeout_s=0.2)
    with pytest.raises(AirflowError, match="didn't answer"):
        hasty.unfinished("shop")
    assert hasty.health() == {}
    server.go.set()
