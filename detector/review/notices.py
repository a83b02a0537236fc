"""Notices: what is in them, how they are drafted from a case, checked, and written out.

What may happen to one, and in which order, is in `detector.review.notice_store`.
"""

from __future__ import annotations

from detector.review.business_days import restore_window
from detector.review.notice_checks import Problem, misfits, problems
from detector.review.notice_documents import (
    IncompleteNoticeError,
    PdfUnavailableError,
    Signature,
    render_html,
    render_pdf,
)
from detector.review.notice_drafts import Facts, draft_values, facts_of
from detector.review.notice_elements import Element, elements

__all__ = [
    "Element",
    "Facts",
    "IncompleteNoticeError",
    "PdfUnavailableError",
    "Problem",
    "Signature",
    "draft_values",
    "elements",
    "facts_of",
    "misfits",
    "problems",
    "render_html",
    "render_pdf",
    "restore_window",
]
