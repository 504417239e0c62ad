"""``ddlrun``: starts a program on every rank, on the hosts it is given, with one mpirun line that it shows.

``options`` reads the command line, ``hosts`` looks at the hosts and judges what it saw, ``plan`` decides where each
rank goes and makes mpirun's argument list, ``main`` does it all. The options are those of IBM's tool of that name, as
its users had them (IBM Knowledge Center, WML CE 1.6.2, "Using the ddlrun tool").
"""
