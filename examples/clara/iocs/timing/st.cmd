# Timing: one generator of triggers, and the delays and widths by which devices use them.

dbLoadRecords("db/generator.db", "NAME=CLA-GEN-TIM-EVG-01")
dbLoadTemplate("db/channels.substitutions")

iocInit
