"""A page cannot learn that something screens what it is sent."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.matrix import visits
from tests.e2e.matrix.browser import finish, page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("certutil")]

TELLTALE = re.compile(
    rb"protech|salus|mitm|proxy|guard|blocked|hidden|screen(ed|ing)", re.IGNORECASE
)
ADDRESSES = (
    "/m/plain/{}/own",
    "/m/octet/{}/webp",
    "/m/chunked/{}/png",
    "/m/gzip/{}/avif",
    "/m/ranged/{}/half",
    "/m/json/{}/own?style=slash",
    "/m/mixed/{}/own",
    "/m/validated/{}/own",
    "/svg/{}/own",
)

TRY = """async address => {
  try {
    const answer = await fetch(address, {mode: 'no-cors'});
    return `${answer.type} ${answer.status}`;
  } catch (error) {
    return String(error);
  }
}"""
UNREACHABLE = (
    "https://expired.example/x",
    "https://nowhere.invalid/x",
    "https://localhost:9/x",
    "https://127.0.0.1:9/x",
    "https://mitm.it/x",
    "https://mitm.it/cert/pem",
)
MORE = """async address => {
  const answer = await fetch(address);
  const body = new Uint8Array(await answer.arrayBuffer());
  const entry = performance.getEntriesByName(new URL(address, location).href).at(-1);
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: Array.from(body),
    redirected: answer.redirected,
    url: answer.url,
    protocol: entry && entry.nextHopProtocol,
    timing: entry && (entry.serverTiming || []).length,
  };
}"""


def answers(browser: Browser, name: str) -> dict[str, Any]:
    with page(browser) as (opened, _):
        opened.goto(f"{visits.SITE}/p/strict?set={name}")
        finish(opened)
        return {address: opened.evaluate(MORE, address.format(name)) for address in ADDRESSES}


@pytest.mark.parametrize("name", [pytest.param("free", marks=pytest.mark.slow), "listed"])
def test_no_header_or_byte_tells(name: str, guarded: Browser) -> None:
    for address, answer in answers(guarded, name).items():
        told = " ".join(f"{key}: {value}" for key, value in answer["headers"].items())
        assert not TELLTALE.search(told.encode()), address
        assert not TELLTALE.search(bytes(answer["body"])), address


@pytest.mark.parametrize("name", [pytest.param("free", marks=pytest.mark.slow), "listed"])
def test_a_hidden_picture_has_the_headers_of_the_one_that_came(
    name: str, guarded: Browser, direct: Browser
) -> None:
    through, straight = answers(guarded, name), answers(direct, name)
    recoded = {"content-length", "content-encoding"} if name == "listed" else set()
    may_differ = {"date", *recoded}
    for address in set(ADDRESSES) - {"/m/mixed/{}/own"}:
        for key in ("status", "redirected", "url", "protocol", "timing"):
            assert through[address][key] == straight[address][key], (address, key)
        assert _without(through[address], may_differ) == _without(
            straight[address], may_differ
        ), address


def test_the_document_is_the_one_that_was_sent(guarded: Browser, direct: Browser) -> None:
    documents = []
    for browser in (guarded, direct):
        with page(browser) as (opened, _):
            opened.goto(f"{visits.SITE}/p/strict?set=listed")
            finish(opened)
            documents.append((opened.content(), _globals(opened)))
    assert documents[0] == documents[1]


@pytest.mark.parametrize("address", UNREACHABLE)
def test_what_cannot_be_reached_fails_as_it_does_without_guard(
    address: str, guarded: Browser, direct: Browser
) -> None:
    outcomes = []
    for browser in (guarded, direct):
        with page(browser) as (opened, _):
            opened.goto(f"{visits.SITE}/p/lazy?set=free")
            outcomes.append(opened.evaluate(TRY, address))
    assert outcomes[0] == outcomes[1]


def _without(answer: dict[str, Any], names: set[str]) -> dict[str, str]:
    return {key: value for key, value in answer["headers"].items() if key not in names}


def _globals(opened: Page) -> Any:
    return opened.evaluate("Object.getOwnPropertyNames(window).sort()")
