"""What a facility file's data are to be after a change of its text, to hold the change against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from linacre.documents.quoting import as_written

Data = dict[str, Any]
"""What `document.parse` returns for a facility file."""
IOCS = "iocs"


def items_of(data: Data, section: str = IOCS) -> Data:
    """Return what a section has by name; nothing where there is no such section."""
    found: object = data.get(section)
    return cast("Data", found) if isinstance(found, dict) else {}


def with_entry(data: Data, changed: Data, section: str, name: str) -> Data:
    """Return the data with the new entry; what it says with its aliases only the text can tell."""
    new = items_of(changed, section).get(name)
    return data | {section: items_of(data, section) | {name: new}}


def without_entry(data: Data, section: str, name: str) -> Data:
    """Return the data without an entry."""
    left = {key: value for key, value in items_of(data, section).items() if key != name}
    return data | {section: left or None}


def with_entries(
    data: Data,
    section: str,
    name: str,
    key: str,
    change: Callable[[list[object]], list[object]],
) -> Data:
    """Return the data with the list of an entry changed; none is an empty one."""
    entry = cast("Data", items_of(data, section)[name])
    there = cast("list[object]", entry.get(key) or [])
    return data | {section: items_of(data, section) | {name: entry | {key: change(there)}}}


def renamed(data: Data, old: str, new: str) -> Data:
    """Return the data with an IOC under another name, in its place."""
    found = dict(data)
    for section, items in data.items():
        if isinstance(items, dict):
            entries = cast("Data", items).items()
            found[section] = {key: _after_renamed(entry, old, new) for key, entry in entries}
    iocs = items_of(found)
    return found | {IOCS: {new if key == old else key: value for key, value in iocs.items()}}


def _after_renamed(entry: Any, old: str, new: str) -> Any:
    if not isinstance(entry, dict):
        return entry
    settings = cast("Data", entry)
    after: object = settings.get("after")
    if not isinstance(after, list):
        return settings
    names = cast("list[object]", after)
    return settings | {"after": [new if each == old else each for each in names]}


def with_value(data: Data, changed: Data, path: Sequence[str], value: str) -> Data:
    """Return the data with a text at a path from its section on, as the changed text has it."""
    section, name, *keys = path
    there: Any = items_of(changed, section)[name]
    for key in keys:
        there = cast("Data", there)[key]
    # As it stands there, or else what was to be: then the two differ.
    new: Any = there if as_written(there) == value else value
    items = items_of(data, section)
    return data | {section: items | {name: _set(items[name], keys, new)}}


def _set(data: Any, keys: Sequence[str], value: Any) -> Any:
    if not keys:
        return value
    first, *rest = keys
    settings = cast("Data", data)
    return settings | {first: _set(settings.get(first, {}), rest, value)}
