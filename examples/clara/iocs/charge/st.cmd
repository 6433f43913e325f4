# Charge of the bunches, as its monitors measure it.

dbLoadTemplate("db/monitors.substitutions")
dbLoadRecords("db/bunch.db", "NAME=CLA-S01-DIA-WCM-01")

iocInit
