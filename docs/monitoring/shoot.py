"""Makes docs/monitoring/page.png and top.png: the page of a rhinod in a headless Chromium, and `rhinod top` on a terminal of tmux,
both under a load that comes in waves. `make screenshots` calls it.

    python3 docs/monitoring/shoot.py DIRECTORY     that of rhinod and examples/hello, such as target/release

Wants `chromium` and `tmux` (Debian's). Between Chromium and the instance stands a server that keeps a picture of the page waiting for
as long as the load takes, so that the screenshot has all of it.
"""

import html
import http.server
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

SECONDS = 75
# A wave in the last ten of every thirty seconds, so that a picture that is taken three seconds into one shows how it began.
CALM, CYCLE = 20, 30
TERMINAL_AT = CYCLE + CALM + 3
ROWS, COLUMNS = 32, 120
HERE = os.path.dirname(os.path.abspath(__file__))
COLOURS = {"1": "font-weight:bold", "2": "color:#888", "31": "color:#e66", "32": "color:#6c6", "7": "background:#ddd;color:#111"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(path, target):
    variables = {
        "REQUEST_METHOD": "GET", "REQUEST_URI": target, "PATH_INFO": target.partition("?")[0],
        "QUERY_STRING": target.partition("?")[2], "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_MSEC": "%.3f" % time.time(),
    }
    block = b"".join(struct.pack("<H", len(text)) + text.encode() for pair in variables.items() for text in pair)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(struct.pack("<BHB", 0, len(block), 0) + block)
        while connection.recv(65536):
            pass


def press(path, number, begin):
    """Two clients always, fourteen more in a wave, who come at once."""
    while (now := time.time() - begin) < SECONDS:
        if number < 2 or now % CYCLE >= CALM:
            ask(path, "/sleep?ms=%d" % (20 + 3 * number))
        else:
            time.sleep(min(CALM - now % CYCLE, SECONDS - now))


def patient_server(metrics_port):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/late.gif":
                time.sleep(SECONDS - 10)
                return self.send_error(404)
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d%s" % (metrics_port, self.path)) as answer:
                    body, kind = answer.read(), answer.headers["Content-Type"]
            except urllib.error.HTTPError as error:
                return self.send_error(error.code)
            if "html" in kind:
                # The browser takes the picture when this has come.
                body = body.replace(b"</main>", b"</main><img src=late.gif hidden>")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def screenshot(address, name, size):
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=%d,%d" % size,
         "--screenshot=" + os.path.join(HERE, name), address], check=True, stderr=subprocess.DEVNULL, timeout=3 * SECONDS)


def as_html(screen):
    """What tmux captured, with its colours."""
    parts, style = [], ""
    for piece in re.split(r"(\x1b\[[\d;]*m)", screen):
        if piece.startswith("\x1b["):
            style = ";".join(COLOURS.get(code, "") for code in piece[2:-1].split(";"))
        elif piece:
            parts.append('<span style="%s">%s</span>' % (style, html.escape(piece)))
    return ("<!doctype html><meta charset=utf-8><style>body{margin:0;background:#111}pre{margin:12px;color:#ddd;"
            "font:15px/19px 'DejaVu Sans Mono',monospace}</style><pre>%s</pre>" % "".join(parts))


class Terminal:
    """`rhinod top` on a terminal of a tmux of its own."""

    def __init__(self, rhinod, pid_file, directory):
        self.socket = os.path.join(directory, "tmux")
        self.call("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "%s top %s" % (rhinod, pid_file))

    def call(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *words], check=True, capture_output=True, text=True).stdout

    def capture(self):
        return self.call("capture-pane", "-p", "-e")

    def close(self):
        self.call("kill-server")


def main(binaries):
    rhinod, hello = (os.path.abspath(os.path.join(binaries, name)) for name in ("rhinod", "examples/hello"))
    with tempfile.TemporaryDirectory() as directory:
        path, pid_file, metrics = os.path.join(directory, "app.sock"), os.path.join(directory, "pid"), free_port()
        options = {"socket": path, "pidfile": pid_file, "workers": 16, "cheaper": 2, "cheaper-algo": "adaptive",
                   "metrics": "127.0.0.1:%d" % metrics, "stats": os.path.join(directory, "stats")}
        command = [hello, "--disable-logging", *("--%s=%s" % pair for pair in options.items())]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while not (os.path.exists(path) and os.path.exists(pid_file)):
                if server.poll() is not None:
                    sys.exit("%s ended with code %d" % (" ".join(command), server.returncode))
                time.sleep(0.05)
            begin = time.time()
            threads = [threading.Thread(target=press, args=(path, number, begin)) for number in range(16)]
            page = "http://127.0.0.1:%d/" % patient_server(metrics)
            threads.append(threading.Thread(target=screenshot, args=(page, "page.png", (1400, 860))))
            for thread in threads:
                thread.start()
            terminal = Terminal(rhinod, pid_file, directory)
            time.sleep(begin + TERMINAL_AT - time.time())
            shown = terminal.capture()
            terminal.close()
            for thread in threads:
                thread.join()
        finally:
            server.terminate()
            server.wait()
        page = os.path.join(directory, "top.html")
        with open(page, "w", encoding="utf-8") as file:
            file.write(as_html(shown))
        screenshot("file://" + page, "top.png", (1130, 640))


if __name__ == "__main__":
    main(sys.argv[1])
