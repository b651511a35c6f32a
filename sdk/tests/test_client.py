import asyncio
import inspect
import pickle
import socket

import httpx
import pytest

from hilum_sdk import (
    AsyncHilum,
    ForbiddenError,
    Hilum,
    HilumApiError,
    NotFoundError,
    ServerUnreachableError,
    UnauthorizedError,
    UnexpectedReplyError,
)

TOKEN = "a-token"


def test_a_problem_is_raised_with_its_sentence_and_mend(server) -> None:
    with Hilum(server.address, "wrong") as hilum, pytest.raises(UnauthorizedError) as caught:
        hilum.uploads.get("upload-1")
    error = caught.value
    assert (error.status, error.type, error.title) == (401, "urn:hilum:401", "Problem 401")
    assert str(error) == "This token is not known. Mend: make one with `hilum token create`. (HTTP 401)"


def test_an_error_survives_pickling(server, hilum: Hilum) -> None:
    with pytest.raises(NotFoundError) as caught:
        hilum.uploads.get("nothing")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(("status", "kind"), [(403, ForbiddenError), (418, HilumApiError)])
def test_every_status_has_its_error(server, hilum: Hilum, status: int, kind: type[HilumApiError]) -> None:
    server.fault("GET .*", "status", status=status)
    with pytest.raises(kind) as caught:
        hilum.uploads.get("upload-1")
    assert type(caught.value) is kind


def test_the_token_comes_from_the_environment(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_TOKEN", TOKEN)
    with Hilum(server.address) as hilum:
        assert hilum.uploads.start("admin").id == "upload-1"


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with Hilum(server.address, TOKEN) as hilum:
        assert hilum.uploads.start("admin").id == "upload-1"


def test_a_lost_answer_does_not_start_a_second_upload(server, hilum: Hilum) -> None:
    server.fault("POST /uploads", "lose-answer")
    assert hilum.uploads.start("admin").id == "upload-1"
    keys = {headers["Idempotency-Key"] for _, _, headers in server.calls("POST /uploads")}
    assert (len(server.asked), len(keys), len(server.uploads)) == (2, 1, 1)


def test_two_calls_have_two_keys(server, hilum: Hilum) -> None:
    assert hilum.uploads.start("admin").id != hilum.uploads.start("admin").id


def test_a_get_has_no_key(server, hilum: Hilum) -> None:
    list(hilum.studies.search(text="brain"))
    assert all("Idempotency-Key" not in headers for _, _, headers in server.asked)


def test_retry_after_is_waited_for(server, hilum: Hilum, seconds) -> None:
    server.fault("POST /uploads", "status", status=429, headers={"Retry-After": "1"})
    hilum.uploads.start("admin")
    assert 1.0 <= seconds() < 3


def test_a_server_that_asks_for_more_patience_than_there_is_is_an_error_at_once(server, hilum: Hilum, seconds) -> None:
    server.fault("POST /uploads", "status", status=503, headers={"Retry-After": "3600"}, detail="Stopping.")
    with pytest.raises(HilumApiError, match="Stopping"):
        hilum.uploads.start("admin")
    assert seconds() < 2


def test_trouble_that_does_not_pass_is_raised_when_the_time_is_over(server, seconds) -> None:
    server.fault("POST /uploads", "drop", times=100)
    with Hilum(server.address, TOKEN, retry_for=1) as hilum, pytest.raises(ServerUnreachableError, match="does not answer"):
        hilum.uploads.start("admin")
    assert seconds() < 3
    assert len(server.asked) >= 2


def test_nobody_there_is_said_with_the_mend() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with (
            Hilum(f"http://127.0.0.1:{reserved.getsockname()[1]}", "", retry_for=0) as hilum,
            pytest.raises(ServerUnreachableError, match="hilum serve"),
        ):
            hilum.uploads.get("upload-1")


def test_a_server_that_accepts_and_never_answers_meets_the_timeout(seconds) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Hilum(address, "", timeout=0.2, retry_for=0) as hilum, pytest.raises(ServerUnreachableError):
            hilum.uploads.get("upload-1")
    assert seconds() < 3


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://server", "http://", ""])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="no address of a server"):
        Hilum(address)


def test_an_answer_of_another_shape_is_no_pydantic_error(server, hilum: Hilum) -> None:
    server.lists["/series"] = [{"no": "id"}]
    with pytest.raises(UnexpectedReplyError, match="no Series: id"):
        list(hilum.series.list())


def test_a_page_of_html_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(200, html="<h1>Log in</h1>"))
    with Hilum("https://hospital.example/hilum", transport=page) as hilum, pytest.raises(UnexpectedReplyError, match="no JSON"):
        hilum.uploads.get("upload-1")


def test_a_server_under_a_path_is_reached_under_it() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(404)

    with Hilum("https://hospital.example/hilum/", transport=httpx.MockTransport(answer)) as hilum, pytest.raises(NotFoundError):
        hilum.studies.get("a/b?c")
    assert seen == ["https://hospital.example/hilum/api/v1/studies/a%2Fb%3Fc"]


def test_the_token_does_not_follow_a_redirect() -> None:
    elsewhere = httpx.MockTransport(lambda request: httpx.Response(302, headers={"Location": "https://elsewhere.example/"}))
    with Hilum("https://hospital.example", "secret", transport=elsewhere) as hilum, pytest.raises(HilumApiError) as caught:
        hilum.projects.get("admin")
    assert caught.value.status == 302


def test_a_list_is_read_page_by_page_and_again_from_its_start(server, hilum: Hilum) -> None:
    server.lists["/studies"] = [{"id": f"study-{number}"} for number in range(5)]
    studies = hilum.studies.list()
    assert [study.id for study in studies] == [study.id for study in studies] == [f"study-{number}" for number in range(5)]
    assert len(server.calls("GET /studies")) == 6


def test_a_list_fetches_no_page_that_is_not_read(server, hilum: Hilum) -> None:
    server.lists["/studies"] = [{"id": f"study-{number}"} for number in range(5)]
    next(iter(hilum.studies.list()))
    assert len(server.asked) == 1


def test_what_identifies_a_patient_is_not_in_the_address(server, hilum: Hilum) -> None:
    found = list(hilum.studies.search(patient_id="4711"))
    assert [study.id for study in found] == ["study-0", "study-1", "study-2"]
    assert found[0].found_by == {"patient_id": "4711"}


def test_a_list_that_leads_in_a_circle_ends() -> None:
    circle = httpx.MockTransport(lambda request: httpx.Response(200, json={"items": [], "next": "again"}))
    with Hilum(transport=circle) as hilum, pytest.raises(UnexpectedReplyError, match="after itself"):
        list(hilum.projects.list())


def test_both_clients_have_the_same_calls_with_the_same_signatures() -> None:
    blocking, awaiting = Hilum(), AsyncHilum()
    nouns = [noun for noun in vars(blocking) if not noun.startswith("_")]
    assert nouns == ["uploads", "studies", "series", "workitems", "results", "items", "templates", "projects", "waiting"]
    for noun in nouns:
        for call in (name for name in dir(getattr(blocking, noun)) if not name.startswith("_")):
            one, other = (getattr(getattr(client, noun), call) for client in (blocking, awaiting))
            assert inspect.signature(one) == inspect.signature(other)
            assert one.__doc__ == other.__doc__ is not None
    blocking.close()
    asyncio.run(awaiting.aclose())


def test_a_blocking_call_may_be_made_inside_an_event_loop(server, hilum: Hilum) -> None:
    async def call() -> str:
        return hilum.uploads.start("admin").id

    assert asyncio.run(call()) == "upload-1"


def test_a_decision_names_its_reason(server) -> None:
    seen: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.path, request.content))
        return httpx.Response(200, json={"id": "1"})

    with Hilum(transport=httpx.MockTransport(answer)) as hilum:
        hilum.workitems.review("1", "reject", "motion", ratings={"overall": 2})
        hilum.workitems.send_back("1", "checking")
        hilum.items.retry("1")
        hilum.studies.delete("1", "asked for by the patient")
    assert seen == [
        ("POST", "/api/v1/workitems/1/review", b'{"verdict":"reject","reason":"motion","ratings":{"overall":2}}'),
        ("POST", "/api/v1/items/1/send-back", b'{"stage":"checking"}'),
        ("POST", "/api/v1/items/1/retry", b""),
        ("DELETE", "/api/v1/studies/1", b'{"reason":"asked for by the patient"}'),
    ]
