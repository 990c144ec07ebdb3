# Two to begin with: `make demo` and `make test`.

# On CI the checkout is new each time; what was built lies outside of it, to be used again.
ifeq ($(CI),true)
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lakegate/target
endif
TARGET := $(or $(CARGO_TARGET_DIR),target)
PYTHON := .venv/bin/python

.PHONY: demo test check slt slt-fix transcripts-fix clients-fix soak bench tools

demo: ## Builds, makes a lake of 200 MB in demo-lake, and serves it on 127.0.0.1:5433.
	scripts/build_close
	@$(TARGET)/demo/lakegate demo --dir demo-lake --views views --listen 127.0.0.1:5433

test: tools ## Every test that is fast enough, against the servers it needs.
	cargo build --tests --bins
	scripts/with_servers cargo nextest run

check: ## Before every commit: format, lints, unit tests.
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo nextest run --lib

slt: ## SQL tests alone: make slt FILTER=delta
	FILTER='$(FILTER)' cargo nextest run --test it slt::

slt-fix: ## Writes the answers into tests/slt. Read the difference before you commit it.
	FILTER='$(FILTER)' LAKEGATE_SLT_FILL=1 cargo nextest run --test it slt::sql_answers_by_simple_queries

transcripts-fix: tools ## Writes what came back into tests/wire.
	LAKEGATE_TRANSCRIPTS_FILL=1 scripts/with_servers cargo nextest run --test it \
	  transcripts::postgres_answers transcripts::lakegate_answers_as_its_own

clients-fix: tools ## Brings the list of what clients see answered otherwise up to date: tests/clients/different.txt.
	LAKEGATE_CLIENTS_FILL=1 scripts/with_servers cargo nextest run -j 1 clients::programs clients::tools

soak: tools ## A million broken messages, MINUTES of clients that misbehave, STATEMENTS of all sizes: memory and answers are watched; refreshes killed 200 times.
	LAKEGATE_TEST_GARBAGE_MESSAGES=1000000 cargo nextest run --test it --no-capture garbage::
	scripts/build_close
	$(PYTHON) tests/soak/soak.py --program $(TARGET)/demo/lakegate --minutes $(or $(MINUTES),10)
	$(PYTHON) tests/soak/memory.py --program $(TARGET)/demo/lakegate --statements $(or $(STATEMENTS),20000)
	LAKEGATE_TEST_TPCH_SCALE=0.1 scripts/with_servers cargo nextest run --no-capture -E 'test(tpch_over_four_kinds)'
	$(PYTHON) tests/peers/failpoints.py --program $(TARGET)/demo/lakegate --rounds 200
	$(PYTHON) tests/peers/operations.py --program $(TARGET)/demo/lakegate --queries 100 --replayed-queries 100
	LAKEGATE_TEST_QUERIES=2000 scripts/with_servers cargo nextest run --no-capture -E 'test(random_queries_have_postgres_answers)'

bench: tools ## Start, logins, large catalogs, versions of long ago, idle memory, pulling a table, repeated questions, questions that views answer, and tables of a warehouse, in turns with peers.
	scripts/build_close
	$(PYTHON) -m pip install -q --disable-pip-version-check -r benches/requirements.txt
	$(PYTHON) benches/start.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	$(PYTHON) benches/catalog.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	$(PYTHON) benches/travel.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	$(PYTHON) benches/connect.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	$(PYTHON) benches/pull.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	scripts/with_servers $(PYTHON) benches/cache.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	$(PYTHON) benches/rewrite.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}
	$(PYTHON) benches/warehouse.py --program $${LAKEGATE_BIN:-$(TARGET)/demo/lakegate}

tools:
	@scripts/install_test_tools
