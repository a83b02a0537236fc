import pytest

from index.checked_file import BLOCK, CheckedFile, digest_blocks
from index.errors import DamagedFileError


@pytest.fixture
def path(tmp_path):
    """Three blocks, the last of them short, of which the middle one is damaged."""
    path = tmp_path / "main.ivf"
    path.write_bytes(bytes(2 * BLOCK + 10))
    return path


@pytest.fixture
def checked(path):
    with path.open("rb") as file:
        digests = digest_blocks(file)
    with path.open("r+b") as file:
        file.seek(BLOCK + 5)
        file.write(b"\1")
    return CheckedFile(path, 2 * BLOCK + 10, digests)


@pytest.mark.parametrize(
    ("starts", "ends"), [([0], [BLOCK]), ([2 * BLOCK], [2 * BLOCK + 10]), ([BLOCK], [BLOCK])]
)
def test_blocks_beside_the_damaged_one_are_believed(checked, starts, ends):
    checked.check(starts, ends)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [([0], [BLOCK + 1]), ([2 * BLOCK - 1], [2 * BLOCK]), ([0, 7], [7, BLOCK * 2])],
)
def test_whatever_touches_the_damaged_one_is_not(checked, starts, ends):
    with pytest.raises(DamagedFileError, match="block 1 does not hold what was written"):
        checked.check(starts, ends)
    with pytest.raises(DamagedFileError, match="block 1"):
        checked.check_all()


def test_what_has_been_checked_is_not_read_again(checked, path):
    checked.check([0], [1])
    path.write_bytes(b"\1" * (2 * BLOCK + 10))
    checked.check([3], [BLOCK])
    with pytest.raises(DamagedFileError, match="block 0"):
        checked.check_all()


@pytest.mark.parametrize("size", [2 * BLOCK + 9, 2 * BLOCK + 11])
def test_another_size_is_damage(path, size):
    with pytest.raises(DamagedFileError, match=f"{2 * BLOCK + 10} bytes instead of {size}"):
        CheckedFile(path, size, ["0" * 64] * 3)
