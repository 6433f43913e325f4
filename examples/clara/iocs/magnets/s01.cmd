# Magnets of the gun and of CLARA's section S01: solenoids and correctors.

dbLoadRecords("db/section.db", "SECTION=CLA-S01,MOMENTUM=6")
dbLoadTemplate("db/gun.substitutions")
dbLoadTemplate("db/s01.substitutions")

iocInit
