"""The text of the scripts beside an IOC or a service; `launch.py` and `service.py` fill them in.

They need POSIX sh, coreutils, setpriv of util-linux, and procServ 2.7 or later.
"""

START = """\
#!/bin/sh
# Made by Linacre for {what}; changes are lost.
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
rm -f starts ioc.pid pvs booted start-errors procserv-hangs console.sock
if [ -x {keeper} ]; then
    ( drop {keeper} {address} {port} console.sock "$log/{file}" {log_bytes} {log_files} ) \\
        < /dev/null &
else
    echo "{keeper} is not there: no port {port} and no rotated log; install g++, then Linacre again"
fi

# Else procServ waits half a second before it starts its child.
at_once={at_once}
[ -r "$at_once" ] || at_once=''

read -r stat < /proc/$$/stat
set -- ${{stat##*) }}
echo "$$ ${{20}}" > procserv.pid
drop env ${{at_once:+LD_PRELOAD="$at_once"}} \\
    procServ --foreground --quiet -P unix:::0600:console.sock \\
    --name {title} --holdoff {hold_off_s} --killsig {kill_signal} -i ^D^C \\
    --logfile "$log/{file}" --timefmt %Y-%m-%dT%H:%M:%S%z --logstamp='%Y-%m-%dT%H:%M:%S%z ' \\
    "$etc/run" < /dev/null
"""

RUN = """\
#!/bin/sh
# Made by Linacre for {what}; changes are lost.
# Nothing before the last line may keep it from starting, a full disk neither.
{places}
cd "$run"
{{ tail -n 49 starts; date +%s; }} > starts.new 2> /dev/null && mv -f starts.new starts
rm -f pvs booted start-errors
{script}
read -r stat < /proc/$$/stat
set -- ${{stat##*) }}
echo "$$ ${{20}}" > ioc.pid.new && mv -f ioc.pid.new ioc.pid
{booted}

{exports}
cd {folder} || exit 1
# It must not outlive its procServ: it would keep the ports. Nor may it inherit procServ's sockets.
exec setpriv {identity}--pdeathsig KILL {command} 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
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

SUPERVISE = """\
#!/bin/sh
# Made by Linacre for {what}; changes are lost.
# The parent of its procServ, which would kill a program that is to end without giving it time.
umask 022
{places}

# A folder that outlives the image: what the image has there is the beginning.
keep() {{
    kept=$persist$1
    if [ ! -d "$kept" ]; then
        rm -rf "$kept.new" && mkdir -p "$kept.new"
        if [ -d "$1" ] && [ ! -L "$1" ]; then
            cp -a --sparse=always "$1/." "$kept.new"
        else
            chown {user}: "$kept.new"
        fi
        mv "$kept.new" "$kept"
    elif [ -d "$1" ] && [ ! -L "$1" ]; then
        renumber "$(stat -c %u:%g "$kept")" "$(stat -c %u:%g "$1")"
    fi
    [ "$(readlink "$1")" = "$kept" ] && return
    mkdir -p "$(dirname "$1")" && rm -rf "$1" && ln -s "$kept" "$1"
}}

# Another image may number the users of its packages otherwise.
renumber() {{
    [ "$1" = "$2" ] && return
    chown -hR --from="${{1%:*}}" "${{2%:*}}" "$kept"
    chown -hR --from=":${{1#*:}}" ":${{2#*:}}" "$kept"
}}

mkdir -p "$run" "$log" "$persist"
{keep}

end() {{
    trap '' TERM
    : > "$run/ending"
    tries=0
    if read -r pid rest < "$run/ioc.pid" && kill -TERM "$pid"; then
        while [ "$tries" -lt {patience_ds} ] && kill -0 "$pid"; do
            tries=$((tries + 1))
            sleep 0.1
        done
    fi 2> /dev/null
    kill -TERM "$procserv"
}}

rm -f "$run/ending"
trap end TERM
setpriv --pdeathsig TERM "$etc/procserv" &
procserv=$!
# The first ends with the signal, and then there is procServ to wait for still.
wait "$procserv"
[ ! -e "$run/ending" ] || wait "$procserv"
"""
