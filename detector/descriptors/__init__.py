"""From frames to embeddings: one protocol, and the descriptors that follow it."""

from detector.descriptors.base import Descriptor, DescriptorUnavailableError, space_of
from detector.descriptors.channels import OF_WORKS, named_channels, open_channels

__all__ = [
    "OF_WORKS",
    "Descriptor",
    "DescriptorUnavailableError",
    "named_channels",
    "open_channels",
    "space_of",
]
