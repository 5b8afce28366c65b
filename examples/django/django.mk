# The Django example's targets; the Makefile includes this file.

.PHONY: run run-cluster canary-demo

run: ## Serve the Django example behind nginx (PORT=8080, or the next free one; CELERY=attached); Ctrl-C ends it
	$(CARGO) build --release --locked --bin rhinod --package rhinod --package rhinod-python --lib
	@python3 examples/django/run.py --server target/release/rhinod $(if $(filter command environment,$(origin PORT)),--port $(PORT)) $(if $(filter attached,$(CELERY)),--attach-celery)

run-cluster: ## Serve the Django example by three instances behind HAProxy (PORT=8080, or the next free one); Ctrl-C ends it
	$(CARGO) build --release --locked --bin rhinod --package rhinod --package rhinod-python --lib
	@python3 examples/cluster/run.py --server target/release/rhinod $(if $(filter command environment,$(origin PORT)),--port $(PORT))

canary-demo: ## Deploy a good, a failing and a slow release of the Django example, each with a canary, and tell what became of them
	$(CARGO) build --release --locked --bin rhinod --package rhinod --package rhinod-python --lib
	@python3 examples/canary/run.py --server target/release/rhinod $(if $(filter command environment,$(origin PORT)),--port $(PORT))
