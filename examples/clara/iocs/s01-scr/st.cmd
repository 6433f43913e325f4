# The screen of CLARA's section S01: two axes that take their time, in databases alone.

dbLoadTemplate("db/screen.substitutions")

iocInit
