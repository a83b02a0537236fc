"""Which channels run: all that can, or those that were asked for.

The channels of works see whole frames and are opened here. The channel `face` depends on who is
enrolled: `detector.people.open_faces`.
"""

from __future__ import annotations

from collections.abc import Collection

from detector.assets import AssetError
from detector.descriptors.base import Descriptor, DescriptorUnavailableError
from detector.settings import Settings
from detector.types import Channel

AUTO = "auto"
OF_WORKS = (Channel.COPY, Channel.SEMANTIC)


def named_channels(settings: Settings) -> list[Channel] | None:
    """Return the channels that `settings.channels` names; None if it says ``auto``.

    Raises
    ------
    DescriptorUnavailableError
        When it names something else, or nothing.
    """
    if settings.channels.strip() == AUTO:
        return None
    names = [name.strip() for name in settings.channels.split(",") if name.strip()]
    known = ", ".join(Channel)
    for name in names:
        if name not in set(Channel):
            raise DescriptorUnavailableError(f"there is no channel {name!r}; there are {known}")
    if not names:
        raise DescriptorUnavailableError(f"no channel is named; there are {known}, or {AUTO}")
    return [channel for channel in Channel if channel in names]


def open_channels(
    settings: Settings, among: Collection[str] = OF_WORKS
) -> tuple[dict[Channel, Descriptor], list[str]]:
    """Load the descriptors of the works' channels that `settings.channels` asks for.

    With ``auto`` a channel that cannot be had is left out, with a line for the user that says how
    to turn it on. CLIP's weights are several hundred megabytes, so ``auto`` uses them where they
    are and leaves fetching them to `matchcut models pull`; a channel asked for by name is fetched.

    Parameters
    ----------
    among
        Channels that ``auto`` may choose from, such as those that the index has vectors of.

    Returns
    -------
    descriptors
        By channel; at least one, unless `face` is the only one named.
    notes
        One line for each channel that is off.

    Raises
    ------
    DescriptorUnavailableError
        When a channel asked for by name, or every one, cannot be had.
    """
    named = named_channels(settings)
    if named is not None:
        asked = [channel for channel in named if channel in OF_WORKS]
        return {channel: open_channel(channel, settings, fetch_clip=True) for channel in asked}, []
    descriptors: dict[Channel, Descriptor] = {}
    notes = []
    for channel in (channel for channel in OF_WORKS if channel in among):
        try:
            descriptors[channel] = open_channel(channel, settings)
        except DescriptorUnavailableError as error:
            notes.append(f"channel {channel} is off: {error}")
    if not descriptors:
        raise DescriptorUnavailableError("no channel can run. " + " ".join(notes))
    return descriptors, notes


def open_channel(channel: Channel, settings: Settings, *, fetch_clip: bool = False) -> Descriptor:
    """Load the descriptor of one of the works' channels; SSCD is fetched if it is not here.

    Parameters
    ----------
    fetch_clip
        Whether CLIP may be fetched, too.

    Raises
    ------
    DescriptorUnavailableError
        When it cannot be had.
    """
    if channel is Channel.SEMANTIC:
        if not fetch_clip and not has_clip(settings):
            raise DescriptorUnavailableError(NO_CLIP)
        from detector.descriptors.clip import ClipDescriptor

        return ClipDescriptor(settings.semantic_model, settings.semantic_weights)
    from detector.descriptors.sscd import SscdDescriptor

    try:
        return SscdDescriptor(settings.copy_model, settings.copy_size)
    except AssetError as error:
        raise DescriptorUnavailableError(str(error)) from error


NO_CLIP = (
    "the weights of CLIP are not on this machine. `matchcut models pull clip` fetches them "
    "(605 MB) from the model hub, or set MATCHCUT_SEMANTIC_WEIGHTS to a checkpoint file."
)


def has_clip(settings: Settings) -> bool:
    """Whether CLIP's weights are on this machine."""
    from detector.descriptors.clip import find_weights

    return find_weights(settings.semantic_model, settings.semantic_weights) is not None
