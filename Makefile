# Two commands do everything: make demo, make test. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup workshop deb demo test check drills simulate bench matrix remedies soak pages verdicts format
SHELL := /bin/sh
PYTHON := .venv/bin/python

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## packages, Python environment and MySQL (Debian 12, root; again in no time)
	@sh packaging/setup/setup.sh

workshop: ## the same, and what building and trying packages needs
	@sh packaging/setup/setup.sh workshop

deb: workshop ## Debian packages, wheel and source archive, into build/packages
	@$(PYTHON) packaging/deb/build.py

demo: setup ## a cluster on this machine, its primary killed, and what happens then
	@$(PYTHON) -m failoverd.lab.demo

check: ## format, lint, types, imports, house rules, unit tests, scenarios (under a minute)
	@$(PYTHON) tests/house/check.py

# One pytest run, so that its own summary line is the last one; a folder that is missing is an error.
SLOW := tests/properties tests/contract tests/simulation tests/ui tests/acceptance tests/package tests/watching
test: workshop check ## everything: set-up, check, properties, contracts, real servers
	@$(PYTHON) -m pytest $(SLOW) -n 2 --dist loadscope --durations=20 --timeout=180

matrix: setup ## the active manager killed and frozen at every moment of a failover and a switchover
	@FAILOVERD_MATRIX=1 $(PYTHON) -m pytest tests/acceptance/test_matrix.py tests/acceptance/test_switchover_matrix.py -n 2 --durations=8 --timeout=3000

SEEDS ?= 100000
simulate: setup ## many lives of clusters on virtual time, faults in every operation; SEEDS=100000
	@$(PYTHON) -m tests.simulation $(SEEDS)

bench: setup ## how long a failover takes, as a table and as JSON
	@$(PYTHON) -m tests.bench

remedies: setup ## the cases of recovery with their remedies left out: each must show its symptom
	@$(PYTHON) -m pytest tests/contract/mysql/remedies_recovery.py tests/unit/service/remedies_manager.py --timeout=180

drills: setup ## every shipped runbook on a lab, one after the other; reports in build/drills
	@$(PYTHON) -m failoverd drill run --all --reports build/drills

soak: setup ## half an hour of random delay, loss and load: nobody may be failed over
	@FAILOVERD_SOAK=1800 $(PYTHON) -m pytest tests/acceptance/test_soak.py --timeout=2400

pages: verdicts ## write the pages of docs/ that are made from the code
	@$(PYTHON) -m tests.house.reference

verdicts: ## write docs/verdicts.md from the tables that decide
	@$(PYTHON) -m tests.house.verdicts

format: ## rewrite files the way ruff wants them
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix-only --quiet .
