"""The page as a unit uses it: a real process behind its door, over a log that grows."""

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.locate.page.made import NOW, Made, counts, place, run, sighting
from tests.unit.locate.page.running import Running, running

HOSTILE = '"><script>alert(1)</script>'
RECORDS: list[Made] = [
    run(NOW),
    sighting(NOW, level=1, address="198.18.77.1"),
    sighting(NOW, level=3, address="198.18.1.1", entry="00aa"),
    sighting(NOW, level=4, address="198.18.1.2", entry="00bb"),
    sighting(NOW, level=3, address="2001:2::5", where=place("BE")),
    counts(NOW, outside=1234),
    {**sighting(NOW, level=3, address="198.18.1.9"), "client": {"id": None, "name": HOSTILE}},
]


class Person:
    """A small browser: one cookie jar, one host."""

    def __init__(self, page: Running) -> None:
        self.page = page
        self.cookies: dict[str, str] = {}
        self.origin, _, path = page.entry().partition("/enter")
        assert self.ask(f"/enter{path}")[0] == 200

    def ask(
        self, path: str = "/", *, form: str | None = None, **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        host = self.origin.removeprefix("http://")
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"Host": host, "Cookie": cookies, "Accept-Language": "en", **headers}
        if form is not None:
            sent["Origin"] = self.origin
        with closing(http.client.HTTPConnection("127.0.0.1", self.page.port)) as page:
            page.request("GET" if form is None else "POST", path, body=form, headers=sent)
            answer = page.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or ():
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            return answer.status, answer.read().decode(), answer.headers

    def find(self, address: str) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.ask()[1])
        assert found is not None
        status, _, headers = self.ask("/find", form=f"csrf={found[1]}&address={address}")
        assert status == 303
        return headers["Location"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("page"), RECORDS) as started:
        yield started


@pytest.fixture
def person(page: Running) -> Person:
    return Person(page)


def test_the_case_is_on_the_page(person: Person) -> None:
    status, text, _ = person.ask()
    assert status == 200
    for shown in ("Case 2026-0417", "A-2026-11", "unit-list", "Laboratory.", "1,234"):
        assert shown in text
    assert "198.18.1.2:6881" in text
    assert "[2001:2::5]:6881" in text


def test_below_a_claim_no_address_is_on_the_page(person: Person) -> None:
    assert "198.18.77.1" not in person.ask()[1]
    assert person.find("198.18.77.1") == "/?missing=1#peers"


def test_filters_leave_peers_out(person: Person) -> None:
    text = person.ask("/?level=4")[1]
    assert "198.18.1.2:6881" in text
    assert "198.18.1.1:6881" not in text
    assert "No peer fits these filters" in person.ask("/?entry=never")[1]


def test_a_peer_has_a_history(person: Person) -> None:
    status, text, _ = person.ask("/peer/3")
    assert status == 200
    for shown in ("198.18.1.2:6881", "2026-11-28 13:00:00.000", "198.18.0.1:40123", "00bb"):
        assert shown in text
    assert "Only one delivery" in text


@pytest.mark.parametrize("path", ["/peer/1", "/peer/999", "/peer/3?page=x", "/peer/3?page=99"])
def test_what_is_no_named_peer_is_not_found(person: Person, path: str) -> None:
    assert person.ask(path)[0] == (200 if path.startswith("/peer/3") else 404)


def test_an_address_is_found_and_stands_in_no_url(person: Person) -> None:
    assert person.find("198.18.1.2") == "/peer/3"
    assert person.find("198.18.1.2%3A6881") == "/peer/3"
    assert person.find("%5B2001%3A2%3A0%3A%3A5%5D%3A6881") == "/peer/4"
    assert person.find("%5B2001%3A2%3A%3A5%5D") == "/peer/4"
    for nobody in ("198.18.1.2%3A1", "no+address", ""):
        assert person.find(nobody) == "/?missing=1#peers"
    assert "No peer at level 3 or 4 has that address" in person.ask("/?missing=1")[1]


def test_finding_needs_the_pages_own_form(person: Person) -> None:
    assert person.ask("/find", form="csrf=guess&address=198.18.1.2")[0] == 403


def test_what_a_peer_calls_itself_is_text(person: Person) -> None:
    text = person.ask("/peer/6")[1]
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in person.ask(f"/?entry={HOSTILE.replace(' ', '')}")[1]


def test_an_unchanged_page_is_not_sent_again_and_a_grown_log_is(person: Person) -> None:
    version = person.ask()[2]["ETag"]
    status, text, _ = person.ask(**{"If-None-Match": version})
    assert (status, text) in {(304, ""), (200, text)}  # a minute may have turned
    person.page.log.append([sighting(NOW, level=4, address="198.18.5.5", entry="00cc")])
    status, text, _ = person.ask(**{"If-None-Match": version})
    assert status == 200
    assert "198.18.5.5:6881" in text


def test_language_is_chosen_and_remembered(person: Person) -> None:
    assert 'lang="fr"' in person.ask("/?language=fr")[1]
    text = person.ask("/peer/3")[1]
    assert "Une seule remise" in text
    assert 'href="/peer/3?language=en"' in text


def test_the_page_holds_nothing_inline_and_nothing_from_elsewhere(person: Person) -> None:
    for path in ("/", "/peer/3"):
        _, text, headers = person.ask(path)
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert re.search(r"<style|style=|<script(?! src=\"/static/)|\son\w+=", text) is None
        assert re.search(r"(href|src)=\"(?![/#])", text) is None


def test_only_its_own_files_are_served(person: Person) -> None:
    for name in ("page.css", "live.js", "icon.svg"):
        assert person.ask(f"/static/{name}")[0] == 200
    for name in ("..%2fpage.py", "page.py", ""):
        assert person.ask(f"/static/{name}")[0] == 404


def test_a_log_that_was_changed_is_told_and_nothing_of_it_shown(tmp_path: Path) -> None:
    with running(tmp_path, RECORDS) as page:
        person = Person(page)
        frames = tmp_path / "log" / "frames"
        page.log.append([sighting(NOW, level=3, address="198.18.5.5")])
        content = bytearray(frames.read_bytes())
        content[-5] ^= 1
        frames.write_bytes(content)
        status, text, _ = person.ask()
        assert status == 500
        assert "changed" in text
        assert "198.18" not in text


@pytest.mark.parametrize("told", ["", "{}\n", "[]\n", '{"log": 3}\n'])
def test_a_page_that_is_not_told_what_to_show_says_so(told: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "protech.locate.page"],
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode > 1
    assert "standard input" in ended.stderr


def test_a_page_ends_with_who_started_it(tmp_path: Path) -> None:
    with running(tmp_path, RECORDS) as page:
        assert page.process.stdin is not None
        page.process.stdin.close()
        assert page.process.wait(timeout=20) == 0
