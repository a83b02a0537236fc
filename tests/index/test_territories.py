"""Countries are named by the codes of ISO 3166-1, and by nothing else."""

import re

import pytest

from index.errors import InvalidRightsError
from index.territories import TERRITORIES, territory


def test_there_are_all_countries_of_the_standard_and_kosovo():
    # 249 have a code in ISO 3166-1; XK is in use by agreement.
    assert len(TERRITORIES) == 250
    assert all(re.fullmatch("[A-Z]{2}", code) for code in TERRITORIES)
    assert {"DE", "FR", "GB", "US", "GR", "TW", "PS", "AX", "SS", "XK"} <= TERRITORIES


@pytest.mark.parametrize("code", ["DE", "de", " De "])
def test_a_code_is_written_in_upper_case(code):
    assert territory(code) == "DE"


@pytest.mark.parametrize(
    "code",
    [
        "UK",  # GB, in the standard
        "EL",  # GR
        "EU",  # no country
        "SU",  # no more
        "AN",
        "DEU",
        "Germany",
        "D",
        "",
        "XX",
        "ＤＥ",  # noqa: RUF001  # full-width letters
    ],
)
def test_what_is_no_country_is_refused_with_the_remedy(code):
    with pytest.raises(InvalidRightsError, match=r"is no country: give its two letters") as caught:
        territory(code)
    assert repr(code) in str(caught.value)
