# Cameras behind the screens of S01, S02 and C2V: their controls.

dbLoadTemplate("db/cameras.substitutions")

iocInit
