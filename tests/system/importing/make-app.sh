#!/bin/sh
# Make an application in the folder $1 with makeBaseApp, as a group does: its template `ioc`, a
# database, and a subroutine in C that only a built program can have.
set -eu
export EPICS_HOST_ARCH=linux-x86_64 LANG=C USER=epics LOGNAME=epics
PATH=/usr/lib/epics-base/bin/$EPICS_HOST_ARCH:$PATH
rm -rf "$1"
mkdir -p "$1"
cd "$1"
makeBaseApp.pl -t ioc lab
makeBaseApp.pl -i -t ioc -p lab -a $EPICS_HOST_ARCH lab

cat >labApp/Db/lab.db <<'END'
record(aSub, "$(P)DOUBLE") {
    field(SNAM, "labDouble")
    field(FTA, "DOUBLE") field(FTVA, "DOUBLE")
    field(INPA, "$(P)SETI CP") field(OUTA, "$(P)TWICE PP")
}
record(ao, "$(P)SETI") { field(VAL, "21") field(PINI, "YES") }
record(ai, "$(P)TWICE") {}
END
cat >labApp/src/labDouble.c <<'END'
#include <aSubRecord.h>
#include <epicsExport.h>
#include <registryFunction.h>

static long labDouble(aSubRecord *record)
{
    *(double *)record->vala = 2 * *(double *)record->a;
    return 0;
}
epicsRegisterFunction(labDouble);
END
echo 'function(labDouble)' >labApp/src/labFunctions.dbd
sed -i 's/^#DB += .*/DB += lab.db/' labApp/Db/Makefile
sed -i -e 's/^#lab_DBD += .*/lab_DBD += labFunctions.dbd/' \
    -e 's/^lab_SRCS += lab_register.*/&\nlab_SRCS += labDouble.c/' labApp/src/Makefile
sed -i 's|^#dbLoadRecords.*|dbLoadRecords("db/lab.db","P=H3APP:")|' iocBoot/ioclab/st.cmd
make -s
