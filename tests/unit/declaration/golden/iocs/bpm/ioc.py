print("an IOC")
