"""The page as its person uses it: a real process behind its door, looked at and clicked."""

import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.guard import consent
from protech.guard.record import Record, day_of
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import entry_url


class Person:
    """A small browser: one cookie jar, one host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cookies: dict[str, str] = {}
        address = entry_url(directory / "place", OneTimeTokens(directory / "tokens"))
        assert address is not None
        self.origin, path = (
            address[: address.index("/enter")],
            address[address.index("/enter") :],
        )
        assert self.ask(path)[0] == 200

    def ask(self, path: str = "/", *, form: str | None = None) -> tuple[int, str]:
        host = self.origin.removeprefix("http://")
        headers = {
            "Host": host,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Accept-Language": "en",
        }
        if form is not None:
            headers["Origin"] = self.origin
        with closing(http.client.HTTPConnection("127.0.0.1", int(host.split(":")[1]))) as page:
            page.request("GET" if form is None else "POST", path, body=form, headers=headers)
            answer = page.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or ():
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            return answer.status, answer.read().decode()

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.ask()[1])
        assert found is not None
        return found[1]


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Record.open(tmp_path / "record") as record:
        record.count(day=day_of(datetime.now(UTC)), surface="proxy", reason="known", times=3)
    options = {
        "--port": port,
        "--detector": tmp_path / "no-detector",
        "--record": tmp_path / "record",
        "--pause-file": tmp_path / "pause",
        "--tokens": tmp_path / "tokens",
        "--place": tmp_path / "place",
        "--listen": "127.0.0.1:8899",
    }
    command = [sys.executable, "-m", "protech.guard.dashboard"]
    command += [str(part) for option in options.items() for part in option]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port)
            yield Person(tmp_path)
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the page did not come up")


def test_counts_state_and_help_are_on_the_page(person: Person) -> None:
    status, text = person.ask()
    assert status == 200
    assert "Hidden today: 3" in text
    assert "The guard is starting again" in text
    assert "127.0.0.1:8899" in text
    assert "troubled-desire.com" in text


def test_pause_and_resume_are_the_persons(person: Person) -> None:
    pause_file = person.directory / "pause"
    assert person.ask("/pause", form=f"csrf={person.csrf}&minutes=10")[0] == 303
    assert consent.paused_until(pause_file, now=datetime.now(UTC)) is not None
    assert "The guard is paused" in person.ask()[1]
    assert person.ask("/resume", form=f"csrf={person.csrf}")[0] == 303
    assert consent.paused_until(pause_file, now=datetime.now(UTC)) is None


@pytest.mark.parametrize("minutes", ["", "0", "11", "-10", "1e3"])
def test_only_the_lengths_on_the_page_pause(person: Person, minutes: str) -> None:
    assert person.ask("/pause", form=f"csrf={person.csrf}&minutes={minutes}")[0] == 400
    assert not (person.directory / "pause").exists()


def test_other_site_cannot_pause(person: Person) -> None:
    assert person.ask("/pause", form="csrf=guess&minutes=10")[0] == 403
    assert not (person.directory / "pause").exists()


def test_language_is_chosen_and_remembered(person: Person) -> None:
    assert 'lang="fr"' in person.ask("/?language=fr")[1]
    assert "La garde" in person.ask()[1]


def test_only_its_own_files_are_served(person: Person) -> None:
    for name in ("page.css", "live.js", "icon.svg"):
        assert person.ask(f"/static/{name}")[0] == 200
    for name in ("..%2fpage.py", "page.py", ""):
        assert person.ask(f"/static/{name}")[0] == 404
