"""What browsers are told to refuse, with every answer of the desk."""

from __future__ import annotations

from types import MappingProxyType

from starlette.datastructures import MutableHeaders
from starlette.types import Scope

# Nothing but what the desk itself serves; no script, style or frame that was written into a page.
_CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_ALWAYS = MappingProxyType(
    {
        "Content-Security-Policy": _CONTENT_POLICY,
        "X-Content-Type-Options": "nosniff",
        # Other sites learn nothing. With `no-referrer` browsers would not even tell the desk that
        # a form is its own: they send `Origin: null` then.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
)
# A notice is a document with a style of its own; it runs nothing, wherever it is opened, and is
# shown in a frame of the desk's pages alone.
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox"
)
_KEPT = "public, max-age=31536000, immutable"
_ONLY_TLS = "max-age=31536000"


def protect(scope: Scope, headers: MutableHeaders, *, secure: bool) -> None:
    """Add the headers that an answer has not set for itself.

    Parameters
    ----------
    secure
        Whether the desk is served with TLS.
    """
    is_static = scope["path"].startswith("/static/") and b"v=" in scope["query_string"]
    if is_static and "last-modified" in headers:
        headers["Cache-Control"] = _KEPT  # its address changes with it
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if secure:
        headers["Strict-Transport-Security"] = _ONLY_TLS
