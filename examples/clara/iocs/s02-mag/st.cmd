# Magnets of CLARA's section S02: power supplies that ramp and settle, in databases alone.

dbLoadRecords("db/section.db", "SECTION=CLA-S02,MOMENTUM=30")
dbLoadTemplate("db/magnets.substitutions")

iocInit
