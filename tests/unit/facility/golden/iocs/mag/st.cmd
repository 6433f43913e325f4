iocInit
