"""What is dear keeps nobody else waiting."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx
import pytest
from tests.api.conftest import Site

from hilum.model.identity import Role, Scope
from hilum.stores.access import Access


def test_wrong_passwords_keep_no_token_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()

    def check_for_long(_access: Access, _name: str, _password: str) -> Scope | None:
        assert going_on.wait(60)
        return None

    monkeypatch.setattr(Access, "scope_of_user", check_for_long)

    def try_password(number: int) -> int:
        return httpx.get(f"{site.url}/api/v1/projects", auth=("somebody", f"wrong {number}"), timeout=60).status_code

    with ThreadPoolExecutor(50) as threads:
        tried = [threads.submit(try_password, number) for number in range(50)]
        try:
            refused = next(one for one in as_completed(tried, timeout=30))  # by now too many wait
            assert refused.result() == 503
            assert site.client(site.token(site.project(), Role.VIEWER)).get("/projects", timeout=10).status_code == 200
        finally:
            going_on.set()
        assert sorted({one.result() for one in tried}) == [401, 503]
