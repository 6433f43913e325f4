# The photo-injector laser: shutters, half-wave plate and energy, steering mirror.

dbLoadTemplate("db/shutters.substitutions")
dbLoadRecords("db/energy.db", "PLATE=EBT-LAS-OPT-HWP-2,METER=CLA-LAS-DIA-EM-01,SHUTTER=CLA-PI-LSR-SHUT-01")
dbLoadTemplate("db/mirror.substitutions")

iocInit
