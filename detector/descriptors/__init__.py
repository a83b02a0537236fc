"""From frames to embeddings: one protocol, and the descriptors that follow it."""

from detector.descriptors.base import Descriptor, DescriptorUnavailableError, space_of
from detector.descriptors.channels import open_channels

__all__ = ["Descriptor", "DescriptorUnavailableError", "open_channels", "space_of"]
