"""``ddlrun``: starts a program on every rank, on the given hosts, with one mpirun command that it prints.

``options`` parses the command line, ``hosts`` probes the hosts and checks the results, ``plan`` decides where each rank
runs and builds mpirun's argument list, ``main`` carries it out. The options are those of IBM's tool of that name (IBM
Knowledge Center, WML CE 1.6.2, "Using the ddlrun tool").
"""
