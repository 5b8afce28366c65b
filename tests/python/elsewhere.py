"""Functions that are called from elsewhere, for tests/servers/services_elsewhere.rs: see `evaluating`."""

import time
import uwsgi
from evaluating import evaluating

uwsgi.register_rpc("joined", lambda *arguments: b"-".join(arguments))
uwsgi.register_rpc("failing", lambda: 1 // 0)
uwsgi.register_rpc("text", lambda: "text")
uwsgi.register_rpc("empty", lambda: b"")
uwsgi.register_rpc("long", lambda length: b"x" * int(length))
uwsgi.register_rpc("sleeping", lambda: time.sleep(1000))
uwsgi.register_signal(17, "", lambda number: print("signal %d came" % number, flush=True))
uwsgi.register_rpc("answer", lambda: b"HTTP/1.1 203 Own\r\nX-Own: yes\r\n\r\nraw")


application = evaluating(globals())
