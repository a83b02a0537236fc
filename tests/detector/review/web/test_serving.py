"""The desk on a real socket."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from desk_office import NAMES, PASSWORD, Office
from desk_server import running

from detector.review.desk import Desk
from detector.review.errors import InvalidError
from detector.review.records import COMMAND_LINE
from detector.review.web.serving import is_loopback, serve
from detector.settings import Settings

PATIENCE_S = 60

SERVE = """
import sys
from pathlib import Path
from detector.review.web.serving import serve
from detector.settings import Settings

home, certificate, key = (Path(one) if one else None for one in sys.argv[1:4])
serve(Settings(home=home), port=0, certificate=certificate, key=key)
print("served")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with an account."""
    home = tmp_path_factory.mktemp("home")
    with Desk.open(Settings(home=home)) as desk:
        full_name, role = NAMES["rosa"]
        desk.accounts.add("rosa", full_name, role, PASSWORD, COMMAND_LINE)
    return home


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and desk.example, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk.example")])
    names = [x509.DNSName("desk.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "desk.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "desk.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "desk.pem", folder / "desk.key"


@contextmanager
def served(home: Path, *tls: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """Run `serve` as a program, and give what it says and the port that it listens at."""
    arguments = [str(home), *map(str, tls)] + [""] * (2 - len(tls))
    command = [sys.executable, "-c", SERVE, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as program:
        try:
            said = program.stderr.readline()
            yield program, said, int(re.search(r":(\d+) ", said)[1])
        finally:
            program.kill()


def connect(port: int, certificate: Path | None = None) -> HTTPConnection:
    if certificate is None:
        return HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    trusted = ssl.create_default_context(cafile=certificate)
    return HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=trusted)


def sign_in(connection: HTTPConnection) -> str:
    """Sign in, and return the cookie that is set."""
    form = urlencode({"name": "rosa", "password": PASSWORD})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/sign-in", form, kind)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303
    return answer.headers["Set-Cookie"]


def test_it_serves_until_it_is_interrupted(home: Path) -> None:
    with served(home) as (program, said, port):
        assert said.startswith(f"The takedown desk is at http://127.0.0.1:{port} ")
        cookie = sign_in(connect(port))
        assert cookie.startswith("matchcut=")
        end(program, signal.SIGINT)


def end(program: subprocess.Popen[str], how: signal.Signals) -> None:
    """End the program with a signal: whoever called `serve` goes on."""
    program.send_signal(how)
    out, err = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 0
    assert out == "served\n"
    assert "Traceback" not in err


def test_it_speaks_tls_until_it_is_ended(home: Path, certificate: tuple[Path, Path]) -> None:
    with served(home, *certificate) as (program, said, port):
        assert said.startswith(f"The takedown desk is at https://127.0.0.1:{port} ")
        cookie = sign_in(connect(port, certificate[0]))
        assert cookie.startswith("__Host-matchcut=")
        assert "; Secure" in cookie
        tls = connect(port, certificate[0])
        tls.request("GET", "/sign-in", headers={"Host": "desk.example"})  # it is in the certificate
        answer = tls.getresponse()
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"]
        assert "uvicorn" not in answer.headers.get("Server", "")
        end(program, signal.SIGTERM)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "desk.example"])  # noqa: S104
def test_it_is_heard_beyond_this_machine_only_with_tls(home: Path, host: str) -> None:
    with pytest.raises(InvalidError, match="--certificate and --key"):
        serve(Settings(home=home), host, 0, certificate=None, key=None)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_what_this_machine_alone_can_reach(host: str, is_local: bool) -> None:
    assert is_loopback(host) == is_local


def test_it_is_not_served_while_nobody_could_sign_in(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="matchcut review accounts add"):
        serve(Settings(home=tmp_path), port=0, certificate=None, key=None)


def test_an_address_that_is_taken_is_said_to_be(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidError, match=f"cannot listen at 127.0.0.1, port {port}"):
            serve(Settings(home=home), port=port, certificate=None, key=None)


def test_a_certificate_that_is_none_is_said_to_be(
    home: Path, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    for pem, key in ((tmp_path / "text.pem", None), (certificate[0], tmp_path / "text.pem")):
        with pytest.raises(InvalidError, match="cannot be used"):
            serve(Settings(home=home), port=0, certificate=pem, key=key)
    with pytest.raises(InvalidError, match="without its certificate"):
        serve(Settings(home=home), port=0, certificate=None, key=certificate[1])


def test_the_desk_runs_in_a_thread_for_other_tests(office: Office) -> None:
    with running(office.app) as address:
        connection = connect(int(address.rpartition(":")[2]))
        assert sign_in(connection).startswith("matchcut=")
        connection.request("GET", "/api/v1/cases")
        assert connection.getresponse().status == 401
    with pytest.raises(ConnectionRefusedError):
        connect(int(address.rpartition(":")[2])).connect()
