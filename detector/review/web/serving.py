"""The desk on a socket: beyond this machine only with TLS, or if somebody insists."""

from __future__ import annotations

import ipaddress
import signal
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvicorn
from cryptography import x509
from fastapi import FastAPI

from detector.logs import say
from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.errors import InvalidError
from detector.review.web.app import create_app
from detector.review.web.films import Films
from detector.review.web.gate import ANY_ADDRESS
from detector.settings import Settings

_BACKLOG = 128  # connections that wait
_PATIENCE_S = 5  # for answers that are being sent when the desk ends


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    allow_plain: bool = False,
    names: Sequence[str] = (),
) -> None:
    """Serve the desk until it is interrupted or terminated.

    Parameters
    ----------
    port
        0: one that is free.
    certificate, key
        PEM files, for TLS; the key may be in the certificate's file.
    allow_plain
        Whether passwords and pictures may go over a network that others read.
    names
        What the desk is called in browsers, besides `host` and what the certificate says.

    Raises
    ------
    InvalidError
        It would be heard beyond this machine without TLS, nobody could sign in, the certificate
        cannot be used, or the address is taken.
    DatabaseError, index.errors.ReferenceIndexError
        The desk or the index cannot be opened.
    """
    if certificate is None and key is not None:
        raise InvalidError("a key is of no use without its certificate: give --certificate too")
    if certificate is None and not allow_plain and not is_loopback(host):
        raise InvalidError(
            f"{host} can be reached from other machines, who could read passwords and pictures on "
            "the way: give --certificate and --key, or serve on 127.0.0.1 behind a server that "
            "speaks TLS, or insist with --allow-plain"
        )
    hosts = {*names, *_names_of(host)}
    if certificate is not None:
        hosts |= _check_certificate(certificate, key)
    with Desk.open(settings) as desk:
        if not any(account.is_active for account in desk.accounts.all()):
            raise InvalidError(
                "nobody could sign in yet: make the first account with "
                "`matchcut review accounts add NAME --full-name NAME --role admin`"
            )
        with Engine.open(settings) as engine, _listening(host, port) as listener:
            app = create_app(
                settings, desk, engine, secure=certificate is not None, hosts=sorted(hosts)
            )
            scheme = "http" if certificate is None else "https"
            say(f"The takedown desk is at {scheme}://{_address(listener)} (Ctrl+C ends it).")
            say("More accounts are made by an admin there, or by `matchcut review accounts add`.")
            for note in engine.notes():
                say(f"Note: {note}")
            with _ending_quietly():
                DeskServer(app, certificate, key).run(sockets=[listener])


class DeskServer(uvicorn.Server):
    """The server of a desk's application; its `run` takes the sockets that it listens at.

    Parameters
    ----------
    certificate, key
        PEM files, for TLS.
    """

    def __init__(
        self, app: FastAPI, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        self._desk = app
        super().__init__(
            uvicorn.Config(
                app,
                ssl_certfile=certificate,
                ssl_keyfile=key,
                proxy_headers=False,  # anybody could say to be anywhere
                server_header=False,
                access_log=False,  # what was done is in the audit; addresses hold names
                log_config=None,  # as everything: see `detector.logs`
                log_level="warning",
                ws="none",
                lifespan="on",  # else it is served though that failed
                timeout_graceful_shutdown=_PATIENCE_S,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give up what takes long, so that who waits for it is answered, and end."""
        cast(Films, self._desk.state.films).close()
        await super().shutdown(sockets)


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _names_of(host: str) -> set[str]:
    """Return what browsers may call the desk if it listens at an address."""
    try:
        listens_everywhere = ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return {host}
    return {ANY_ADDRESS, socket.gethostname()} if listens_everywhere else {host}


def _check_certificate(certificate: Path, key: Path | None) -> set[str]:
    """Return the names in a certificate that can be used."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
        first = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()  # it names nobody; browsers will say so
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InvalidError(
            f"the certificate {certificate} cannot be used ({error}): give a PEM file of the "
            "certificate with --certificate, and its key, without a passphrase, with --key"
        ) from error
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return {*names.get_values_for_type(x509.DNSName), *addresses}


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address, so that connections wait from now on."""
    address = host.strip("[]")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        raise InvalidError(
            f"cannot listen at {host}, port {port} ({error}): give another --host or --port"
        ) from error
    with listener:
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """Let Ctrl+C and `kill` end the server, and then nothing else: it raises them once more."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not for this thread
        return
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
