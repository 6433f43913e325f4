# The start script of @NAME@. PREFIX stands in the facility file, so that a clone can have another.
dbLoadRecords("db/records.db", "P=$(PREFIX)")
iocInit
