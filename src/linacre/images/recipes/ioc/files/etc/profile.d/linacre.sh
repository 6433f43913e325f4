PATH=/opt/linacre/bin:$PATH
export PATH
