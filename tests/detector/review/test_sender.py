"""Messages are sent, signed, to the address that was given and nowhere else, until they arrive."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from desk_examples import open_case
from sqlalchemy import select

from detector.review.schema import DeliveryRow
from detector.review.sender import Sender, signature
from detector.review.webhooks import RETRY_AFTER


@dataclass
class Receiver:
    """A server on this machine that notes what it gets, and answers as it is told."""

    url: str
    answers: list[int]  # what is answered next; 204 after that
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)


def receive(trust: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, dict(self.headers), body))
            status = receiver.answers.pop(0) if receiver.answers else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.end_headers()
            receiver.arrived.set()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if trust is not None:
        scheme, server.socket = "https", trust.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_port}", [])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    yield from receive()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a key and a certificate for 127.0.0.1 that nobody has signed but itself."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a receiver")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure_receiver(certificate: Path) -> Iterator[Receiver]:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate)
    yield from receive(trust)


@pytest.fixture
def sender(desk):
    sender = Sender(desk.webhooks)
    yield sender
    sender.close()


def soon(by: timedelta = timedelta(seconds=1)) -> datetime:
    return datetime.now(UTC) + by


def last_error(database) -> str | None:
    with database.connect() as connection:
        return connection.execute(select(DeliveryRow.last_error)).scalars().one()


def test_a_message_is_sent_again_until_it_arrives(desk, staff, sender, receiver, database):
    desk.webhooks.add(f"{receiver.url}/hook?to=me#part", ["case.opened"], staff.dora)
    case = open_case(desk)
    receiver.answers += [500, 503]
    now = soon()
    assert sender.run_once(now) == 0
    assert last_error(database) == "the answer was 500"
    assert sender.run_once(now) == 0  # not before its time
    assert len(receiver.got) == 1
    now += RETRY_AFTER[0]
    assert sender.run_once(now) == 0
    assert last_error(database) == "the answer was 503"
    now += RETRY_AFTER[1]
    assert sender.run_once(now) == 1
    assert last_error(database) is None
    assert sender.run_once(now + timedelta(days=2)) == 0
    assert len(receiver.got) == 3
    assert {path for path, _, _ in receiver.got} == {"/hook?to=me"}
    assert len({headers["Matchcut-Delivery"] for _, headers, _ in receiver.got}) == 1
    assert json.loads(receiver.got[-1][2])["case"] == case.id


def test_a_receiver_can_tell_who_sent_a_message_and_when(desk, staff, sender, receiver):
    _, secret = desk.webhooks.add(receiver.url, ["case.opened"], staff.dora)
    open_case(desk)
    now = soon()
    sender.run_once(now)
    ((path, headers, body),) = receiver.got
    assert path == "/"
    assert headers["Content-Type"] == "application/json"
    assert headers["Matchcut-Event"] == json.loads(body)["event"] == "case.opened"
    timestamp = headers["Matchcut-Timestamp"]
    assert int(timestamp) == int(now.timestamp())
    signed = timestamp.encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Matchcut-Signature"] == f"sha256={expected}"
    for other in (
        signature("another", timestamp, body),
        signature(secret, f"{timestamp}1", body),
        signature(secret, timestamp, body + b" "),
    ):
        assert other != headers["Matchcut-Signature"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(desk, staff, sender, receiver, database, status):
    desk.webhooks.add(receiver.url, ["case.opened"], staff.dora)
    open_case(desk)
    receiver.answers.append(status)
    assert sender.run_once(soon()) == 0
    assert [path for path, _, _ in receiver.got] == ["/"]
    assert last_error(database) == f"the answer was {status}"


def test_an_address_where_nobody_listens_holds_up_nobody(desk, staff, sender, receiver, database):
    desk.webhooks.add("http://127.0.0.1:1/", ["case.opened"], staff.dora)
    desk.webhooks.add(receiver.url, ["case.opened"], staff.dora)
    open_case(desk)
    assert sender.run_once(soon()) == 1
    with database.connect() as connection:
        errors = set(connection.execute(select(DeliveryRow.last_error)).scalars())
    assert errors == {None, "ConnectionRefusedError: [Errno 111] Connection refused"}


def test_a_certificate_that_nobody_vouches_for_is_refused(
    desk, staff, sender, secure_receiver, database
):
    desk.webhooks.add(secure_receiver.url, ["case.opened"], staff.dora)
    open_case(desk)
    assert sender.run_once(soon()) == 0
    assert secure_receiver.got == []
    assert "CERTIFICATE_VERIFY_FAILED" in last_error(database)


def test_a_certificate_of_an_authority_that_is_trusted_is_taken(
    desk, staff, secure_receiver, certificate
):
    desk.webhooks.add(secure_receiver.url, ["case.opened"], staff.dora)
    open_case(desk)
    trust = ssl.create_default_context(cafile=str(certificate))
    assert Sender(desk.webhooks, trust).run_once(soon()) == 1
    assert len(secure_receiver.got) == 1


def test_two_senders_share_the_work(desk, staff, receiver):
    desk.webhooks.add(receiver.url, ["case.opened"], staff.dora)
    for number in range(15):
        open_case(desk, f"{number}.mp4")
    now = soon()
    assert Sender(desk.webhooks).run_once(now) == 10
    assert Sender(desk.webhooks).run_once(now) == 5
    assert len({headers["Matchcut-Delivery"] for _, headers, _ in receiver.got}) == 15


def test_it_sends_in_the_background_until_it_is_closed(desk, staff, sender, receiver):
    sender.start()
    sender.start()  # which is no second thread
    desk.webhooks.add(receiver.url, ["case.opened"], staff.dora)
    open_case(desk)
    assert receiver.arrived.wait(timeout=60)
    sender.close()
    sender.close()
    open_case(desk, "later.mp4")
    assert len(receiver.got) == 1
    assert [thread for thread in threading.enumerate() if thread.name == "webhooks"] == []
