"""What must be in a notice, by the law it goes by, each element with what is asked for.

Nothing here is legal advice: the elements are those that the laws list, and the answers that show
that somebody has thought before signing.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from detector.review.records import NoticeKind

ElementKind: TypeAlias = Literal["text", "multiline", "lines", "email", "date", "choice", "check"]


@dataclass(frozen=True, slots=True)
class Element:
    """One thing that a notice says.

    Attributes
    ----------
    name
        Of the form's field, and of the value as it is kept.
    label
        For people to read; of a ``check`` the whole statement that is made by ticking it.
    help
        What is meant, for who fills it in.
    statute
        Where the law asks for it, to the sub-paragraph; empty where none does.
    kind
        ``lines`` is a list, ``check`` true or false, ``date`` as in ISO 8601; all else is text.
    missing
        What to do about it when it is not there.
    choices
        The answers of a ``choice``.
    required
        Whether the notice cannot be signed without it.
    barring
        Those answers with which it must not be signed at all.
    asked_with
        Name of another element and its answer that make this one required.
    is_address
        Whether each of the ``lines`` is the address of something on the web.
    """

    name: str
    label: str
    help: str
    statute: str
    kind: ElementKind
    missing: str = ""
    choices: tuple[str, ...] = ()
    required: bool = True
    barring: tuple[str, ...] = ()
    asked_with: tuple[str, str] | None = None
    is_address: bool = False


NOT_FAIR_USE = "Considered: it is not fair use"
MAYBE_FAIR_USE = "It may be fair use"
NO_EXCEPTION = "Considered: no exception applies"
MAYBE_EXCEPTION = "An exception may apply"
NO_LICENCE = "Checked: no licence was given"
OTHER_LICENCE = "Checked: a licence exists and does not cover this use"
MAYBE_LICENCE = "A licence may cover this use"
NO_CONSENT = "Checked: no consent was given"
OTHER_CONSENT = "Checked: consent was given and does not cover this use"
MAYBE_CONSENT = "Consent may cover this use"


def elements(kind: NoticeKind) -> tuple[Element, ...]:
    """Return what a notice of a kind consists of, in the order of the document."""
    return _ELEMENTS[kind]


# --- what all have in common ------------------------------------------------------------------

_DMCA = "512(c)(3)(A)"
_PUBLICITY = "Cal. Civ. Code § 3344"
_RESTATEMENT = "Restatement (Third) of Unfair Competition"


def _recipient(who: str, help_: str, statute: str) -> Element:
    return Element(
        "recipient",
        f"To: {who}",
        help_,
        statute,
        "multiline",
        f"The recipient is missing: write the name and the address of the {who}.",
    )


def _material(statute: str) -> Element:
    return Element(
        "material",
        "Address of the material",
        "The exact address (URL) of each page or file with the video, one on each line.",
        statute,
        "lines",
        "The address of the material is missing: write the exact URL, one on each line.",
        is_address=True,
    )


def _passages(statute: str, what: str) -> Element:
    return Element(
        "passages",
        "Passages in the material",
        f"At which times the material shows {what}, one passage on each line.",
        statute,
        "lines",
        f"The passages are missing: write at which times the material shows {what}, or that all "
        "of it does.",
    )


def _seen_on(statute: str) -> Element:
    return Element(
        "seen_on",
        "Last seen there on",
        "The day on which somebody last looked whether the material is there.",
        statute,
        "date",
        required=False,
    )


def _complainant(statute: str, who: str) -> Element:
    return Element(
        "complainant",
        f"Name of the {who}",
        "The company or the person in whose name this notice is sent.",
        statute,
        "text",
        f"The {who} is missing: write the name of the company or the person who complains.",
    )


def _email(statute: str, *, required: bool) -> Element:
    return Element(
        "email",
        "Email address",
        "Where answers are read.",
        statute,
        "email",
        "The email address is missing: write one at which you can be reached.",
        required=required,
    )


def _address(statute: str) -> Element:
    return Element(
        "address",
        "Postal address",
        "Street, town, country.",
        statute,
        "multiline",
        "The postal address is missing: write one at which you can be reached.",
    )


def _phone(statute: str, *, required: bool) -> Element:
    return Element(
        "phone",
        "Telephone number",
        "With the country's code.",
        statute,
        "text",
        "The telephone number is missing: write one, with the country's code.",
        required=required,
    )


def _licence(statute: str) -> tuple[Element, Element]:
    return (
        Element(
            "licence",
            "Licence from the owner",
            "Has the owner, or their agent, allowed this use? Look at the licences of the work, "
            "also at those that nearly apply, before you answer.",
            statute,
            "choice",
            "The licence check is missing: look at the licences of the work, then say what you "
            "found.",
            (NO_LICENCE, OTHER_LICENCE, MAYBE_LICENCE),
            barring=(MAYBE_LICENCE,),
        ),
        Element(
            "licence_why",
            "Why the licence does not cover this use",
            "Which licence it is, and what is outside it: the time, the territory, the uploader "
            "or the use.",
            statute,
            "multiline",
            "The reason is missing: write which licence exists, and why it does not cover this "
            "use.",
            required=False,
            asked_with=("licence", OTHER_LICENCE),
        ),
    )


# --- DMCA ---------------------------------------------------------------------------------------

_DMCA_ELEMENTS = (
    _recipient(
        "service provider's designated agent",
        "As the directory of the U.S. Copyright Office names the agent: dmca.copyright.gov/osp.",
        _DMCA,
    ),
    Element(
        "works",
        "Copyrighted works infringed",
        "Title and owner, one work on each line; of many on one site, a representative list.",
        f"{_DMCA}(ii)",
        "lines",
        "The copyrighted work is missing: write title and owner of each, one on each line.",
    ),
    _material(f"{_DMCA}(iii)"),
    _passages(f"{_DMCA}(iii)", "the works"),
    _seen_on(f"{_DMCA}(iii)"),
    Element(
        "owner",
        "Owner of the exclusive right",
        "Who owns the right that is infringed.",
        f"{_DMCA}(vi)",
        "text",
        "The owner is missing: write who owns the exclusive right that is infringed.",
    ),
    Element(
        "authority",
        "Capacity of who signs",
        "You must be the owner, or be authorized to act for them.",
        f"{_DMCA}(vi)",
        "choice",
        "Your capacity is missing: say whether you act as the owner or as their agent.",
        ("I am the owner of the exclusive right", "I am authorized to act on behalf of the owner"),
    ),
    _complainant(f"{_DMCA}(iv)", "complaining party"),
    _address(f"{_DMCA}(iv)"),
    _phone(f"{_DMCA}(iv)", required=True),
    _email(f"{_DMCA}(iv)", required=False),
    Element(
        "fair_use",
        "Fair use",
        "Consider purpose and character of the use (also parody, criticism, news), nature of the "
        "work, amount taken, and effect on its market. A notice without a look at these is not "
        "made in good faith.",
        f"{_DMCA}(v); 17 U.S.C. § 107",
        "choice",
        "The fair use check is missing: consider the four factors, then say what you found.",
        (NOT_FAIR_USE, MAYBE_FAIR_USE),
        barring=(MAYBE_FAIR_USE,),
    ),
    Element(
        "fair_use_why",
        "Reasons about fair use",
        "In your own words, on each of the four factors as far as they matter here.",
        f"{_DMCA}(v); 17 U.S.C. § 107",
        "multiline",
        "The reasons about fair use are missing: write what you considered.",
    ),
    *_licence(f"{_DMCA}(v)"),
    Element(
        "good_faith",
        "I have a good faith belief that use of the material in the manner complained of is not "
        "authorized by the copyright owner, its agent, or the law.",
        "Tick it only if you believe so. Who knowingly misrepresents is liable: 512(f).",
        f"{_DMCA}(v)",
        "check",
        "The statement of good faith is missing: tick it if you believe so.",
    ),
    Element(
        "accuracy",
        "The information in this notice is accurate, and under penalty of perjury, I am "
        "authorized to act on behalf of the owner of an exclusive right that is allegedly "
        "infringed.",
        "Tick it only if you have read the notice and are so authorized.",
        f"{_DMCA}(vi)",
        "check",
        "The statement of accuracy and authority is missing: read the notice, and tick it if it "
        "is so.",
    ),
)

# --- DSA ----------------------------------------------------------------------------------------

_DSA_ELEMENTS = (
    _recipient(
        "hosting service",
        "Name of the service and its electronic point of contact for notices.",
        "Article 16(1)",
    ),
    _material("Article 16(2)(b)"),
    _passages("Article 16(2)(b)", "what is illegal"),
    _seen_on("Article 16(2)(b)"),
    Element(
        "works",
        "Works or persons concerned",
        "Title and owner of each work, or name of each person, one on each line.",
        "Article 16(2)(a)",
        "lines",
        "What is infringed is missing: write title and owner of each work, or the name of each "
        "person.",
    ),
    Element(
        "facts",
        "What the material shows",
        "What was found in it, and how.",
        "Article 16(2)(a)",
        "multiline",
        "The facts are missing: write what the material shows.",
    ),
    Element(
        "law",
        "Law that it infringes",
        "With the article, and the member state: Directive 2001/29/EC, Articles 2 and 3; § 22 "
        "KunstUrhG; Article 9 of the Code civil.",
        "Article 16(2)(a)",
        "text",
        "The law is missing: write which article of which law the material infringes.",
    ),
    Element(
        "reasons",
        "Why it is illegal",
        "So that a diligent reader can see that it is, without a detailed legal examination: whose "
        "right it is, and that nobody allowed this use.",
        "Article 16(2)(a)",
        "multiline",
        "The reasons are missing: write why the material is illegal content.",
    ),
    Element(
        "exceptions",
        "Exceptions",
        "Consider quotation, criticism, review; caricature, parody, pastiche; news; incidental "
        "inclusion, under the law named above.",
        "Directive (EU) 2019/790, Article 17(7); Directive 2001/29/EC, Article 5(3)",
        "choice",
        "The check for exceptions is missing: consider quotation, parody and the others, then say "
        "what you found.",
        (NO_EXCEPTION, MAYBE_EXCEPTION),
        barring=(MAYBE_EXCEPTION,),
    ),
    Element(
        "exceptions_why",
        "Reasons about exceptions",
        "In your own words.",
        "Directive (EU) 2019/790, Article 17(7); Directive 2001/29/EC, Article 5(3)",
        "multiline",
        "The reasons about exceptions are missing: write what you considered.",
    ),
    *_licence("Article 16(2)(a)"),
    _complainant("Article 16(2)(c)", "notifier"),
    _email("Article 16(2)(c)", required=True),
    Element(
        "good_faith",
        "I confirm my bona fide belief that the information and allegations in this notice are "
        "accurate and complete.",
        "Tick it only if you have read the notice and believe so.",
        "Article 16(2)(d)",
        "check",
        "The statement of bona fide belief is missing: read the notice, and tick it if you believe "
        "so.",
    ),
)

# --- likeness -----------------------------------------------------------------------------------

_LIKENESS_ELEMENTS = (
    _recipient(
        "service provider",
        "Name of the service and where it takes complaints about likenesses.",
        "",
    ),
    Element(
        "people",
        "Persons whose likeness is used",
        "Full name, and what they are known for, one person on each line.",
        f"{_PUBLICITY}(b)",
        "lines",
        "The person is missing: write the full name of each person whose likeness is used.",
    ),
    _material(f"{_PUBLICITY}(a)"),
    _passages(f"{_PUBLICITY}(b)(1)", "the person so that they are readily identifiable"),
    _seen_on(""),
    Element(
        "nature",
        "Kind of picture",
        "Is it real? Look at the provenance of the file, and at the face itself.",
        f"{_RESTATEMENT} § 46",
        "choice",
        "The kind of picture is missing: say whether it is real, altered or made by a machine.",
        (
            "Real footage of the person",
            "Altered or made by a machine (a digital replica)",
            "This cannot be told",
        ),
    ),
    Element(
        "use",
        "How the likeness is used",
        "For advertising, merchandise, a film, a channel with income: what for, and to whose "
        "advantage.",
        f"{_PUBLICITY}(a); {_RESTATEMENT} § 47",
        "multiline",
        "The use is missing: write what the likeness is used for, and to whose advantage.",
    ),
    Element(
        "law",
        "Law relied on",
        "It differs by state: Cal. Civ. Code § 3344, N.Y. Civ. Rights Law §§ 50-51, Tenn. Code "
        "Ann. § 47-25-1105, common law.",
        f"{_RESTATEMENT} § 46",
        "text",
        "The law is missing: write which law protects the likeness, with its section.",
    ),
    Element(
        "consent",
        "Consent of the person",
        "Has the person consented to this use? Ask them or whoever speaks for them, and look at "
        "the licences, before you answer.",
        f"{_PUBLICITY}(a)",
        "choice",
        "The check for consent is missing: ask, look at the licences, then say what you found.",
        (NO_CONSENT, OTHER_CONSENT, MAYBE_CONSENT),
        barring=(MAYBE_CONSENT,),
    ),
    Element(
        "consent_why",
        "Why the consent does not cover this use",
        "Which consent it is, and what is outside it: the time, the territory or the use.",
        f"{_PUBLICITY}(a)",
        "multiline",
        "The reason is missing: write which consent was given, and why it does not cover this use.",
        required=False,
        asked_with=("consent", OTHER_CONSENT),
    ),
    Element(
        "exceptions",
        "Free uses",
        "Consider news, public affairs, sport, politics; commentary, criticism, satire, parody; "
        "fiction and other expressive works.",
        f"{_PUBLICITY}(d); {_RESTATEMENT} § 47",
        "choice",
        "The check for free uses is missing: consider news, commentary and satire, then say what "
        "you found.",
        (NO_EXCEPTION, MAYBE_EXCEPTION),
        barring=(MAYBE_EXCEPTION,),
    ),
    Element(
        "exceptions_why",
        "Reasons about free uses",
        "In your own words.",
        f"{_PUBLICITY}(d); {_RESTATEMENT} § 47",
        "multiline",
        "The reasons about free uses are missing: write what you considered.",
    ),
    Element(
        "authority",
        "Capacity of who signs",
        "You must be the person, or be authorized to act for them.",
        f"{_RESTATEMENT} § 46",
        "choice",
        "Your capacity is missing: say whether you are the person or act for them.",
        (
            "I am the person",
            "I am authorized to act for the person",
            "I act for who holds the rights of a person who has died",
        ),
    ),
    Element(
        "mandate",
        "Authority of who signs",
        "The contract, the power of attorney or the registration, with its date.",
        f"{_RESTATEMENT} § 46",
        "text",
        "What authorizes you is missing: write the contract or the power of attorney, or that you "
        "are the person.",
    ),
    _complainant("", "complaining party"),
    _address(""),
    _phone("", required=False),
    _email("", required=True),
    Element(
        "good_faith",
        "I have a good faith belief that use of the likeness in the manner complained of is not "
        "authorized by the person, their representative, or the law.",
        "Tick it only if you believe so.",
        f"{_PUBLICITY}(a)",
        "check",
        "The statement of good faith is missing: tick it if you believe so.",
    ),
    Element(
        "accuracy",
        "I declare under penalty of perjury that the information in this notice is accurate and "
        "that I am authorized to act for the person named in it.",
        "Tick it only if you have read the notice and are so authorized.",
        "28 U.S.C. § 1746",
        "check",
        "The statement of accuracy and authority is missing: read the notice, and tick it if it "
        "is so.",
    ),
)

_ELEMENTS = MappingProxyType(
    {
        NoticeKind.DMCA: _DMCA_ELEMENTS,
        NoticeKind.DSA: _DSA_ELEMENTS,
        NoticeKind.LIKENESS: _LIKENESS_ELEMENTS,
    }
)
