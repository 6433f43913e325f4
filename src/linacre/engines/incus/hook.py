"""What this host does at each start of a machine: lxc runs a script of ours, as root.

It writes down the machine's init, and plugs its cable into the network recorded for it. It is kept
free of programs to start, but for `ip`: it runs once for each machine that comes up.
"""

from __future__ import annotations

INITS = "inits"
"""The folder beside the script with the init of each machine (see `inits`)."""
PLUGGED = "plugged"
"""The file beside the script with a line for each cable: machine, link, bridge."""

# lxc.container.conf(5) names the variables. Word 20 behind the command's name in proc(5)'s stat is
# the start time, and the line that is written what `ProcessId` reads.
SCRIPT = f"""\
#!/bin/sh
# At a machine's start: writes down its init, and plugs its cable into the network recorded for it.
name=${{LXC_NAME#*_}}
folder=${{0%/*}}
if [ -n "$LXC_PID" ] && read -r stat < "/proc/$LXC_PID/stat" &&
    read -r boot < /proc/sys/kernel/random/boot_id; then
    set -- ${{stat##*) }}
    shift 19
    echo "$LXC_PID $boot:$1" > "$folder/{INITS}/$name"
fi
while read -r machine veth bridge; do
    [ "$machine" = "$name" ] || continue
    ip link set dev "$veth" up || exit 1
    [ "$bridge" = - ] || ip link set dev "$veth" master "$bridge"
    exit
done < "$folder/{PLUGGED}"
exit 0
"""
