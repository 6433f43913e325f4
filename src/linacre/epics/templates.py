"""The text of the scripts beside an IOC; `launch.py` fills them in.

They need POSIX sh, coreutils, setpriv of util-linux, and procServ 2.7 or later.
"""

START = """\
#!/bin/sh
# Made by Linacre for the IOC {name}; changes are lost.
# Becomes procServ, so that its pid, signals and exit are those of this script.
umask 022
{places}
user={user}

drop() {{
    if [ -n "$user" ]; then
        exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
    fi
    exec "$@"
}}

# A folder of the tree that outlives the tree: what it holds at first is the beginning.
keep() {{
    if [ ! -d "$persist/$1" ]; then
        mkdir -p "$persist/$1"
        [ -d "$tree/$1" ] && [ ! -L "$tree/$1" ] && cp -R "$tree/$1/." "$persist/$1"
        [ -n "$user" ] && chown -R "$user:" "$persist/$1"
    fi
    [ -L "$tree/$1" ] && [ "$(readlink "$tree/$1")" = "$persist/$1" ] && return
    mkdir -p "$(dirname "$tree/$1")" && rm -rf "${{tree:?}}/$1" && ln -s "$persist/$1" "$tree/$1"
}}

mkdir -p "$run" "$log" "$persist"
[ -n "$user" ] && chown "$user:" "$run" "$log" "$persist"
{keep}

# Relative names from here: a Unix socket's path must be short.
cd "$run" || exit 1
rm -f starts ioc.pid pvs booted console.sock
if [ -x {keeper} ]; then
    ( drop {keeper} {address} {port} console.sock "$log/{file}" {log_bytes} {log_files} ) \\
        < /dev/null &
else
    echo "{keeper} is not there: no port {port} and no rotated log; install g++, then Linacre again"
fi

read -r stat < /proc/$$/stat
set -- ${{stat##*) }}
echo "$$ ${{20}}" > procserv.pid
drop procServ --foreground --quiet -P unix:::0600:console.sock \\
    --name {title} --holdoff {hold_off_s} -i ^D^C \\
    --logfile "$log/{file}" --timefmt %Y-%m-%dT%H:%M:%S%z --logstamp='%Y-%m-%dT%H:%M:%S%z ' \\
    "$etc/run" < /dev/null
"""

RUN = """\
#!/bin/sh
# Made by Linacre for the IOC {name}; changes are lost.
# Nothing before the last line may stop the IOC from starting, a full disk neither.
{places}
cd "$run"
{{ tail -n 49 starts; date +%s; }} > starts.new 2> /dev/null && mv -f starts.new starts
rm -f pvs booted
read -r stat < /proc/$$/stat
set -- ${{stat##*) }}
echo "$$ ${{20}}" > ioc.pid.new && mv -f ioc.pid.new ioc.pid
{booted}

{exports}
cd {folder} || exit 1
# The IOC must not outlive its procServ: it would keep the ports.
# Nor may it inherit procServ's sockets.
exec setpriv --pdeathsig KILL {command} 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
"""

WRAPPER = """\
#- Made by Linacre for the IOC {name}; changes are lost.
{access}
cd "{folder}"
epicsEnvSet("IOCSH_STARTUP_SCRIPT", "{start}")
< "{file}"
{access_again}
dbl "" "recordType DESC" > "{run}/pvs"
#- Says something only where iocInit has succeeded:
casr 0 > "{run}/booted"
"""
