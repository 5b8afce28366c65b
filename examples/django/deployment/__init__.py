"""Sets up and runs one instance of the Django example on this machine; `run.py` is the command.

Uses the standard library only: it runs before there is a virtualenv. No part of it is in the server's processes.
"""
