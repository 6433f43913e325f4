# Magnets of CLARA's dog-leg C2V: dipoles, quadrupoles and correctors.

dbLoadRecords("db/section.db", "SECTION=CLA-C2V,MOMENTUM=30")
dbLoadTemplate("db/c2v.substitutions")

iocInit
