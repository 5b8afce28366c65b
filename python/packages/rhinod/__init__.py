"""Where a wheel carries rhinod's extension module, which the `rhinod` command loads into the application's interpreter.

An application imports `uwsgi` instead, which exists inside the server only.
"""
