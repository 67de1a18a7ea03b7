"""What the person chose for their guard and should not have to say again.

``settings.toml`` holds it: ``guard_lists`` (paths of known lists, or names of synced ones) is
theirs to write, ``guard_adult_filter`` is written when the filter is switched on or off.
"""

import argparse
import os
from pathlib import Path

from protech.errors import ConfigError
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.settings import change_settings, read_settings

LISTS = "guard_lists"
ADULT_FILTER = "guard_adult_filter"


def remembered(
    options: argparse.Namespace, settings: Path, *, device: DeviceLists | None = None
) -> argparse.Namespace:
    """Return ``options`` with what was chosen before in place of what was not given.

    A switch of the adult filter is remembered; lists that are given hold for this run. Where
    none are given or written down, every synced list of ``device`` that is for guards is taken.

    Raises:
        ConfigError: The settings cannot be read or written, or make no sense.
        TrustError: Others can write to them.
    """
    if options.adult_filter is not None:
        change_settings(settings, {ADULT_FILTER: options.adult_filter == "on"})
    chosen = read_settings(settings)
    is_on = chosen.get(ADULT_FILTER, False)
    lists = chosen.get(LISTS, [])
    if not isinstance(is_on, bool):
        raise ConfigError(f"In {settings}, {ADULT_FILTER} is true or false; mend the file.")
    if not isinstance(lists, list) or not all(isinstance(path, str) for path in lists):
        raise ConfigError(f'In {settings}, {LISTS} is ["LIST", ...]; mend the file.')
    fields = vars(options) | {"adult_filter": "on" if is_on else "off"}
    fields["list"] = options.list or [os.fspath(Path(source).expanduser()) for source in lists]
    if not fields["list"]:
        synced = (device or DeviceLists.of_user()).lists(Use.GUARD)
        fields["list"] = [held.name for held in synced]
    return argparse.Namespace(**fields)
