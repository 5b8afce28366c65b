# The Django example's target; the Makefile includes this file.

.PHONY: run

run: ## Serve the Django example behind nginx (PORT=8080, or the next free one; CELERY=attached); Ctrl-C ends it
	$(CARGO) build --release --locked --bin rhinod --package rhinod --package rhinod-python --lib
	@python3 examples/django/run.py --server target/release/rhinod $(if $(filter command environment,$(origin PORT)),--port $(PORT)) $(if $(filter attached,$(CELERY)),--attach-celery)
