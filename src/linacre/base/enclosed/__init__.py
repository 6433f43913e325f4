"""Names and files of others, kept below one folder of this host: nothing leads out of it.

What comes out of a machine or a repository may be an enemy's: absolute names, `..`, links on the
way, devices, files without end. Everything that reads or writes by such names comes through here.
A folder is opened below its parent by a descriptor and never by a joined path, so what another
process changes meanwhile leads nowhere else.
"""

from linacre.base.enclosed.named import (
    NamedFolder,
    head_of_named,
    open_named,
    read_given,
    read_named,
)
from linacre.base.enclosed.names import (
    DEEPEST,
    UnsafeNameError,
    check_nesting,
    inner_path,
    link_target,
)
from linacre.base.enclosed.reading import Below, LinkOnWayError, TooMuchError, read_plain, tail_of
from linacre.base.enclosed.walking import Entry, Kind, Limits, walk
from linacre.base.enclosed.writing import EnclosedFolder

__all__ = [
    "DEEPEST",
    "Below",
    "EnclosedFolder",
    "Entry",
    "Kind",
    "Limits",
    "LinkOnWayError",
    "NamedFolder",
    "TooMuchError",
    "UnsafeNameError",
    "check_nesting",
    "head_of_named",
    "inner_path",
    "link_target",
    "open_named",
    "read_given",
    "read_named",
    "read_plain",
    "tail_of",
    "walk",
]
