"""A Flask application in one file: `examples/flask/flask.ini` serves it.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    rhinod --ini flask.ini

Loaded once in the zygote; the functions run in the workers.
"""

import os

from flask import Flask, abort, jsonify, request

app = Flask(__name__)

TEXT_BYTES_MAX = 64 * 1024
app.config["MAX_CONTENT_LENGTH"] = TEXT_BYTES_MAX


@app.get("/")
def greeting():
    """Greets by name; as plain text, for nothing here escapes what a visitor sends."""
    name = request.args.get("name", "world")
    return f"Hello, {name}\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.post("/words")
def words():
    """Counts the words of the body, a text of at most 64 KiB."""
    try:
        text = request.get_data().decode()
    except UnicodeDecodeError:
        abort(400, "the body is not UTF-8")
    return jsonify(words=len(text.split()), worker_pid=os.getpid())


@app.get("/health")
def health():
    """Whether this worker serves; there is nothing else that it needs."""
    return jsonify(status="ok")
