import pytest

from index.errors import VectorServiceError
from index.vector_service import VectorService


def test_an_address_is_taken_apart():
    service = VectorService("milvus://ann:p%40ss@db.example:19531/films")
    assert service.address == "db.example:19531/films"
    assert service.connection == {
        "uri": "http://db.example:19531",
        "user": "ann",
        "password": "p@ss",
        "db_name": "films",
    }


def test_what_is_not_said_is_usual():
    service = VectorService("milvus+tls://db.example")
    assert service.address == "db.example:19530/default"
    assert service.connection["uri"] == "https://db.example:19530"


def test_a_password_is_not_shown():
    assert "secret" not in repr(VectorService("milvus://ann:secret@db.example"))


@pytest.mark.parametrize(
    "url", ["", "db.example:19530", "http://db.example", "milvus://", "milvus://db.example:x"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(VectorServiceError, match="milvus://"):
        VectorService(url)
