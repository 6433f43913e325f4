#!../../bin/linux-x86_64/scr
iocInit
