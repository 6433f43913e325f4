# Magnets of CLARA's linac 1: the solenoids around it.

dbLoadTemplate("db/l01.substitutions")

iocInit
