# Vacuum from the gun to C2V: gauges, and valves that close on bad vacuum.

dbLoadTemplate("db/gauges.substitutions")
dbLoadTemplate("db/valves.substitutions")

iocInit
