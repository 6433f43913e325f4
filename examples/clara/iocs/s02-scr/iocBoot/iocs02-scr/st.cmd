#!../../bin/linux-x86_64/s02-scr

< envPaths

cd "${TOP}"

dbLoadDatabase "dbd/s02-scr.dbd"
dbLoadTemplate "db/screen.substitutions"

cd "iocBoot/iocs02-scr"
iocInit
