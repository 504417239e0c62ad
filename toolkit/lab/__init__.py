"""A lab in a box: hosts with their own sshd and engine, as containers on this machine. The rest of the tool does not
know that they are not real machines."""
