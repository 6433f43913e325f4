Boot file of a crate: VxWorks, RTEMS or a Linux kernel would stand here.
