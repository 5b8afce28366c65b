# The Django example's targets; the Makefile includes this file.

.PHONY: run

run: build ## Serve the Django example on http://127.0.0.1:8080 until Ctrl-C
	python3 examples/django/run.py
