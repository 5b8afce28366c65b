# The Python package's target; the Makefile includes this file.

.PHONY: wheel

wheel: ## Build the Python package: dist/rhinod-*.whl
	packaging/wheel
