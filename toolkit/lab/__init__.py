"""A lab in a box: hosts with sshd and an engine of their own, as containers of this machine. Nothing else of the tool
knows that they are not iron."""
