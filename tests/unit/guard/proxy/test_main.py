"""The command, started as the supervisor starts it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protech.guard.proxy.__main__ import COUNTS_FILE, main
from protech.guard.proxy.placeholder import placeholder
from tests.proxied import Origin, Sent, origin, picture

GOOD = picture(1)


@contextmanager
def started(
    state: Path, *options: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "protech.guard.proxy", "--listen", "127.0.0.1:0"]
    command += ["--detector", str(state / "no-detector"), "--state", str(state), *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("READY 127.0.0.1:"), process.communicate()
        yield process, int(line.rpartition(":")[2])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def site() -> Iterator[Origin]:
    with origin() as served:
        served.routes["/good"] = Sent(GOOD, {"Content-Type": "image/jpeg"})
        served.routes["/words"] = Sent(b"<p>words</p>", {"Content-Type": "text/html"})
        yield served


def ask(port: int, url: str) -> bytes:
    command = ["curl", "-sS", "-x", f"http://127.0.0.1:{port}", "-m", "20", url]
    return subprocess.run(command, capture_output=True, check=True).stdout


def ask_in_vain(port: int, url: str) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        ask(port, url)


def test_without_a_detector_pages_pass_and_pictures_do_not(
    tmp_path: Path, site: Origin
) -> None:
    override = f"--override=site.test=127.0.0.1:{site.port}"
    with started(tmp_path / "state", override) as (process, port):
        assert ask(port, "http://site.test/words") == b"<p>words</p>"
        assert ask(port, "http://site.test/good") == placeholder(None, None)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "site.test" not in said
    assert (tmp_path / "state" / COUNTS_FILE).exists()


def test_a_proxy_that_was_killed_shows_nothing(tmp_path: Path, site: Origin) -> None:
    override = f"--override=site.test=127.0.0.1:{site.port}"
    with started(tmp_path / "state", override) as (process, port):
        process.kill()
        process.wait()
        with pytest.raises(subprocess.CalledProcessError) as refused:
            ask(port, "http://site.test/good")
    assert refused.value.returncode == 7  # curl: could not connect
    assert site.requests == []


def test_the_keys_of_connections_are_written_nowhere(tmp_path: Path, site: Origin) -> None:
    keys = tmp_path / "keys"
    names = {"SSLKEYLOGFILE": str(keys), "MITMPROXY_SSLKEYLOGFILE": str(keys)}
    with started(tmp_path / "state", environment=names) as (_, port):
        command = ["curl", "-sk", "-x", f"http://127.0.0.1:{port}", "https://site.test/"]
        subprocess.run(command, env={"PATH": os.environ["PATH"]}, check=False)
    assert not keys.exists()


def test_nothing_of_what_passes_is_said(tmp_path: Path, site: Origin) -> None:
    with started(tmp_path / "state") as (process, port):
        for url in ("http://nowhere.invalid/secret", "http://127.0.0.1:1/secret"):
            ask_in_vain(port, url)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"nonsense\r\n\r\n")
            client.recv(65536)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=20)
    words = ("nowhere", "secret", "127.0.0.1:1/", "mitmproxy", "nonsense", "Traceback")
    assert not [word for word in words if word in out + said]


def test_a_port_in_use_ends_the_command_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "protech.guard.proxy", "--listen", f"127.0.0.1:{port}"]
        command += ["--detector", "x", "--state", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"protech proxy: Another program uses 127.0.0.1:{port};")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "listen",
    ["0.0.0.0:8080", "192.168.1.5:8080", "[::]:80", "8080", "localhost:1", "127.0.0.1:x"],
)
def test_only_this_machine_is_listened_to(
    tmp_path: Path, listen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--listen", listen, "--detector", "x", "--state", str(tmp_path)])
    assert ended.value.code == 2
    assert "127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize("override", ["x", "x=1.2.3.4", "x=y:80", "x=1.2.3.4:"])
def test_an_override_names_an_address_and_a_port(
    tmp_path: Path, override: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--listen", "127.0.0.1:0", "--detector", "x", "--state", str(tmp_path)]
    with pytest.raises(SystemExit):
        main([*wanted, "--override", override])
    assert "HOST=IP:PORT" in capsys.readouterr().err


def test_a_state_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    command = [sys.executable, "-m", "protech.guard.proxy", "--listen", "127.0.0.1:0"]
    command += ["--detector", "x", "--state", str(tmp_path / "file")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "--state" in ended.stderr
    assert "Traceback" not in ended.stderr
