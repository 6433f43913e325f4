"""Running tools apart: what they start and mount ends with them, and they hold nobody's mounts."""

from __future__ import annotations

from pathlib import Path

_APART = (
    # Everything ends with the process that started it, even one that is killed.
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"),
    "--mount-proc",
)
# In mount namespaces of their own they have a copy of each mount of the host. A facility's storage
# pool, a loop device, would not go while they run: `down` would leave it, for minutes.
_LET_GO = """\
while read -r device where rest; do
    where=$(printf %b "$where")
    case $device in /dev/loop*) ;; *) continue ;; esac
    case $0/ in "${where%/}"/*) continue ;; esac
    umount -l "$where" 2>/dev/null || :
done < /proc/self/mounts
exec "$@"
"""


def confined(*argv: str | Path, work: Path) -> list[str]:
    """Return the command that runs another apart; it works in and below `work`.

    File systems of loop devices are taken away from it, but for the one that `work` is on.
    """
    return [*_APART, "sh", "-c", _LET_GO, str(work), *map(str, argv)]
