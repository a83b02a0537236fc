"""What every descriptor must do; a test class inherits it and has a `descriptor` fixture."""

import numpy as np


def pictures(count, seed=0):
    """Different smooth random pictures of different sizes."""
    import cv2

    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        yield cv2.resize(coarse, (160 + 8 * number, 120), interpolation=cv2.INTER_CUBIC)


class DescriptorConformance:
    def test_one_unit_vector_per_picture(self, descriptor):
        vectors = descriptor.describe(list(pictures(3)))
        assert vectors.shape == (3, descriptor.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_no_pictures_give_no_vectors(self, descriptor):
        vectors = descriptor.describe([])
        assert vectors.shape == (0, descriptor.dim)
        assert vectors.dtype == np.float32

    def test_a_picture_is_described_alike_alone_and_among_others(self, descriptor):
        several = list(pictures(40))  # more than one batch
        together = descriptor.describe(several)
        alone = np.concatenate([descriptor.describe([several[i]]) for i in (0, 17, 39)])
        np.testing.assert_allclose(together[[0, 17, 39]], alone, atol=0.02)

    def test_different_pictures_are_told_apart(self, descriptor):
        vectors = descriptor.describe(list(pictures(5)))
        similarities = vectors @ vectors.T
        assert (similarities[~np.eye(5, dtype=bool)] < 0.999).all()

    def test_name_and_version_can_stand_in_a_space(self, descriptor):
        assert "@" not in descriptor.name
        assert len(descriptor.version) == 12
