# vsm: builds on PGXS.  `make help` lists the targets.
#
# Objects, dependency files and the install script are made under build/;
# PGXS insists on vsm.so beside this file.

EXTENSION = vsm
MODULE_big = vsm
VSM_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" vsm.control)

BUILD = build/obj
ROOMS = move counters percentiles figures roles shape csv
CSV_PROGRAMS = src/csv/recognise_file.c
SOURCES = $(filter-out $(CSV_PROGRAMS),$(wildcard src/*.c $(ROOMS:%=src/%/*.c)))
OBJS = $(SOURCES:src/%.c=$(BUILD)/%.o)
DATA_built = $(BUILD)/vsm--$(VSM_VERSION).sql
EXTRA_CLEAN = build

# To a user DATA is the file of `make demo DATA=...`; to PGXS, what to install.
DEMO_GIVEN := $(filter command environment,$(origin DATA))
DEMO_DATA := $(if $(DEMO_GIVEN),$(DATA))
override DATA := $(wildcard sql/vsm--*--*.sql)

REGRESS = $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql))
ISOLATION = $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec))
REGRESS_OPTS = --inputdir=build/regress --outputdir=build/regress
ISOLATION_OPTS = --inputdir=build/regress --outputdir=build/regress
NO_INSTALLCHECK = yes		# ours is below

# A checkout is a developer's: warnings are errors.  A release must still build
# with the compilers of the future.
WERROR = $(if $(wildcard .git),-Werror)

# PostgreSQL's headers are system headers: their warnings are not ours to mend.
# Every SQL-callable function has an fcinfo, used or not.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -DVSM_VERSION='"$(VSM_VERSION)"'
PG_CFLAGS = -Wall -Wextra $(WERROR) -Wno-unused-parameter

# Calls from file to file go straight, past what another library may call by the same name.
SHLIB_LINK = -Wl,-Bsymbolic-functions

# Nothing here is worth inlining into a query: no bitcode, so no LLVM to install.
override with_llvm = no

# The newest server that has its development files; else the pg_config of PATH.
ifeq ($(origin PG_CONFIG),undefined)
PG_CONFIG := $(or $(shell ls /usr/include/postgresql/*/server/postgres.h 2>/dev/null | \
	sort -V | tail -n 1 | sed 's,.*/\([0-9]*\)/server/.*,/usr/lib/postgresql/\1/bin/pg_config,'),pg_config)
endif
PGXS := $(if $(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h),$(wildcard $(shell $(PG_CONFIG) --pgxs)))

all:		## the extension

install:	## put it into the server of PG_CONFIG (as root)

uninstall:	## take its files out again (as root)

ifneq ($(PGXS),)
include $(PGXS)

# pg_config's CFLAGS are gcc's; clang knows most of them.
ifneq ($(findstring clang,$(CC)),)
override CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

objects: $(OBJS)

$(BUILD)/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The same value is in the same bucket on every machine.
$(BUILD)/percentiles/sketch.o $(BUILD)/percentiles/sketch_%.o: override CFLAGS += -ffp-contract=off

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d)

# Another compiler, server or option is another build, and so is a file that went.
quoted = '$(subst ','\'',$(1))'
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo $(call quoted,$(PG_CONFIG) $(CC) $(CFLAGS) $(CPPFLAGS) $(OBJS)) | cmp -s - $@ || \
	 echo $(call quoted,$(PG_CONFIG) $(CC) $(CFLAGS) $(CPPFLAGS) $(OBJS)) > $@

# A run, and so a fresh database, for each file.
installcheck: regress-links	## pg_regress and isolation tests in the server of PGHOST, PGPORT
	@set -e; for test in $(REGRESS); do $(pg_regress_installcheck) $(REGRESS_OPTS) $$test; done
	@set -e; for test in $(ISOLATION); do $(pg_isolation_regress_installcheck) $(ISOLATION_OPTS) $$test; done

else
all install installcheck objects:
	@echo >&2 "vsm needs PostgreSQL's server development files (none where $(PG_CONFIG) looks for them)."
	@echo >&2 "Hint: run \"make packages\", or name another server: make PG_CONFIG=/path/to/pg_config"
	@false

clean:
	rm -rf build
endif

# The install script is joined from its files, in the order of their numbers; the folder tells of a file that went.
$(BUILD)/vsm--$(VSM_VERSION).sql: scripts/join-sql $(wildcard sql/[0-9][0-9]_*) sql vsm.control
	@mkdir -p $(@D)
	scripts/join-sql sql >$@.new && mv $@.new $@

# ---- What `make demo DATA=...` asks before it replaces anything ----

objects: $(BUILD)/recognise

$(BUILD)/recognise: src/csv/recognise_file.c $(filter src/csv/%,$(SOURCES)) $(wildcard src/csv/*.h)
	@mkdir -p $(@D)
	$(CC) -Isrc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra $(WERROR) -o $@ $(filter %.c,$^)

# ---- The gateway: a program, which needs no server but libpq ----

GATEWAY_BUILD = build/gateway
GATEWAY = build/vsm-gateway
GATEWAY_SOURCES = $(wildcard src/gateway/*.c $(foreach layer,http api tokens db,src/gateway/$(layer)/*.c))
GATEWAY_OBJECTS = $(GATEWAY_SOURCES:src/gateway/%.c=$(GATEWAY_BUILD)/%.o) \
	$(patsubst src/%.c,$(GATEWAY_BUILD)/%.o,$(filter src/csv/% src/name_rule.c,$(SOURCES)))
GATEWAY_LIBS = libmicrohttpd jansson libcrypto libcurl zlib libpq
GATEWAY_FOUND := $(shell pkg-config --exists $(GATEWAY_LIBS) 2>/dev/null && echo yes)
GATEWAY_FLAGS = -Isrc -Isrc/gateway -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra $(WERROR) -D_FORTIFY_SOURCE=2 -fstack-protector-strong -pthread \
	-DVSM_VERSION='"$(VSM_VERSION)"' $(shell pkg-config --cflags $(GATEWAY_LIBS) | sed 's,-I,-isystem ,g') $(GATEWAY_CFLAGS)

# The API viewer comes from npm, pinned by its lock file; without it /docs is a plain list.  The dashboard is what its own build leaves in dist.
VIEWER = src/gateway/api/docs/node_modules/swagger-ui-dist
VIEWER_FILES = swagger-ui-bundle.js swagger-ui.css LICENSE NOTICE
DASHBOARD := $(shell find src/web/dist -type f 2>/dev/null)
GATEWAY_ASSETS = openapi.json=$(GATEWAY_BUILD)/openapi.json \
	$(foreach f,index.html start.js list.html list.css,docs/$(f)=src/gateway/api/docs/$(f)) \
	$(foreach f,$(VIEWER_FILES),docs/$(f)=$(VIEWER)/$(f)) \
	$(foreach f,$(DASHBOARD),web/$(f:src/web/dist/%=%)=$(f))

PREFIX ?= /usr/local

ifeq ($(GATEWAY_FOUND),yes)
all: gateway
install: install-gateway
uninstall: uninstall-gateway

gateway: $(GATEWAY)		## the REST gateway, build/vsm-gateway

$(GATEWAY): $(GATEWAY_OBJECTS) $(GATEWAY_BUILD)/assets.o
	$(GATEWAY_CC) $(GATEWAY_FLAGS) -o $@ $^ $(shell pkg-config --libs $(GATEWAY_LIBS)) -ldl
else
gateway:
	@echo >&2 "vsm-gateway needs the development files of $(GATEWAY_LIBS)."
	@echo >&2 "Hint: run \"make packages\", or install libmicrohttpd-dev libjansson-dev libssl-dev libcurl4-openssl-dev zlib1g-dev libpq-dev pkg-config"
	@false
endif

GATEWAY_CC = $(or $(filter-out cc,$(CC)),gcc)

gateway-objects: $(GATEWAY_OBJECTS)

$(GATEWAY_BUILD)/csv/%.o: src/csv/%.c $(GATEWAY_BUILD)/flags
	@mkdir -p $(@D)
	$(GATEWAY_CC) $(GATEWAY_FLAGS) -MMD -MP -c -o $@ $<

$(GATEWAY_BUILD)/name_rule.o: src/name_rule.c $(GATEWAY_BUILD)/flags
	@mkdir -p $(@D)
	$(GATEWAY_CC) $(GATEWAY_FLAGS) -MMD -MP -c -o $@ $<

$(GATEWAY_BUILD)/%.o: src/gateway/%.c $(GATEWAY_BUILD)/flags
	@mkdir -p $(@D)
	$(GATEWAY_CC) $(GATEWAY_FLAGS) -MMD -MP -c -o $@ $<

# The OpenAPI document is made from the table of routes by a program that runs here.
OPENAPI_OBJECTS = $(foreach f,openapi/make api/routes db/statement text options conninfo csv/encoding,$(GATEWAY_BUILD)/$(f).o)

$(GATEWAY_BUILD)/openapi/make: $(OPENAPI_OBJECTS)
	$(GATEWAY_CC) $(GATEWAY_FLAGS) -o $@ $^ $(shell pkg-config --libs jansson libpq)

$(GATEWAY_BUILD)/openapi.json: $(GATEWAY_BUILD)/openapi/make src/gateway/api/schemas.json
	$< src/gateway/api/schemas.json >$@.new && mv $@.new $@

$(GATEWAY_BUILD)/assets.o: $(GATEWAY_BUILD)/assets.c
	$(GATEWAY_CC) $(GATEWAY_FLAGS) -Isrc/gateway/api -c -o $@ $<

$(GATEWAY_BUILD)/assets.c: scripts/embed $(GATEWAY_BUILD)/flags \
		$(GATEWAY_BUILD)/openapi.json $(wildcard $(foreach pair,$(GATEWAY_ASSETS),$(lastword $(subst =, ,$(pair))))) | $(VIEWER)/swagger-ui-bundle.js
	scripts/embed $@ $(GATEWAY_ASSETS)

$(VIEWER)/swagger-ui-bundle.js:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory viewer; else false; fi || \
		echo "/docs will be a plain list: the viewer needs npm"

-include $(wildcard $(GATEWAY_BUILD)/*.d $(GATEWAY_BUILD)/*/*.d)

$(GATEWAY_BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$(GATEWAY_CC) $(subst ",\",$(GATEWAY_FLAGS)) $(GATEWAY_ASSETS) $(GATEWAY_OBJECTS)" | cmp -s - $@ || \
	 printf '%s\n' "$(GATEWAY_CC) $(subst ",\",$(GATEWAY_FLAGS)) $(GATEWAY_ASSETS) $(GATEWAY_OBJECTS)" > $@

# What is parsed before a request is known to be good, and clang's fuzzer; FUZZ_SECONDS of it.
FUZZ_SECONDS = 20
FUZZ_SOURCES = test/gateway/fuzz/parsing.c $(foreach f,http/framing api/kinds api/query api/routes api/ndjson api/invalid api/values db/statement text,src/gateway/$(f).c) \
	$(filter src/csv/%,$(SOURCES))

fuzz:			## feed the gateway's parsers with nonsense for FUZZ_SECONDS
	@mkdir -p build/fuzz/found
	clang -std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc -Isrc/gateway \
		$(FUZZ_SOURCES) -o build/fuzz/parsing -ljansson
	build/fuzz/parsing -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -artifact_prefix=build/fuzz/ -print_final_stats=0 \
		build/fuzz/found test/gateway/fuzz/corpus

fuzz-sketch:	## feed the sketches' code with nonsense for FUZZ_SECONDS, each of four ways
	FUZZ_SECONDS=$(FUZZ_SECONDS) test/fuzz/run

# Its result is committed: who builds the gateway needs no npm.
web:			## bundle the dashboard anew with npm (src/web/dist)
	@cd src/web && npm ci --silent --ignore-scripts --no-audit --no-fund && node build.mjs

viewer:			## fetch the API viewer of /docs with npm
	@cd src/gateway/api/docs && npm ci --silent --ignore-scripts --no-audit --no-fund

# Its page of the manual is its --help, and what that does not say.
$(GATEWAY_BUILD)/vsm-gateway.1: $(GATEWAY) doc/vsm-gateway.h2m
	help2man --no-info --section=1 --include=doc/vsm-gateway.h2m --output=$@ $(GATEWAY)

install-gateway: $(GATEWAY) $(if $(shell which help2man 2>/dev/null),$(GATEWAY_BUILD)/vsm-gateway.1)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(GATEWAY) $(DESTDIR)$(PREFIX)/bin/vsm-gateway
	test ! -e $(GATEWAY_BUILD)/vsm-gateway.1 || \
		install -m 644 $(GATEWAY_BUILD)/vsm-gateway.1 $(DESTDIR)$(PREFIX)/share/man/man1/vsm-gateway.1

uninstall-gateway:
	rm -f $(DESTDIR)$(PREFIX)/bin/vsm-gateway $(DESTDIR)$(PREFIX)/share/man/man1/vsm-gateway.1

# pg_regress wants its inputs and expected/ side by side.
regress-links:
	@mkdir -p build/regress
	@ln -sfn ../../test/sql build/regress/sql
	@ln -sfn ../../test/specs build/regress/specs
	@ln -sfn ../../expected build/regress/expected

packages:	## install what building and the demo need (Debian: apt)
	scripts/packages

test:		## the tests, in some twelve minutes; PART="regress pgtap" for some (test/run --help)
	@test/run $(PART)

test-all:	## all tests, those that take long too; PART=tap for some
	@test/run --all $(PART)

soak:		## all tests with long random histories, for an hour and more; PART=pgtap for some
	@test/run --soak $(PART)

stress:		## 64 clients, aborts and kills for 5 minutes: no limit is ever exceeded, no place leaks
	test/stress

stress-cells:	## sessions move, correct and define while others fold, for 5 minutes: answers are the same without cells
	VSM_CELLS_SECONDS=300 test/run tap/cells_sessions

sanitized:	## the gateway's tests with address and undefined behaviour sanitizers
	test/gateway/sanitized

debug-server:	## the tests with assertions and sanitizers, and a load under valgrind
	test/debug-server

images:		## the container images vsm-server and vsm-gateway, by docker, podman or buildah
	scripts/images

containers:	## build the images and run them with podman, under the old service's flow (as root)
	test/containers

demo:		## a private server with a simulated team's work; DATA=file.csv[.gz] for your own log, with what it cannot tell:
##	  ITEM= STAGE= TIME= TYPE= TITLE=            its columns: the item, the stage it enters, when, its type and title
##	  DATES=DMY                                  how it writes dates: DMY, MDY or YMD
##	  DIRECTION=newest_first                     how its lines stand: oldest_first or newest_first
##	  TIME_ZONE=Europe/Berlin                    zone of its days, and of times without a zone; default UTC
##	  FORM=long                                  a line for each move (long), or for each item with a column for each stage (wide)
##	  STAGES=New:wait,Doing:active:5,Done:done   its stages in order, each name:category[:WIP limit]; a category is
##	                                             wait, active, done or discarded
	@$(if $(DEMO_GIVEN),DATA='$(subst ','\'',$(DEMO_DATA))') demo/run

demo-stop:	## end the demo and its server
	@test ! -x demo/run || demo/run --stop

format:		## lay out the C sources
	scripts/format $(wildcard src/*.[ch] $(ROOMS:%=src/%/*.[ch]) src/gateway/*.[ch] src/gateway/*/*.[ch])

check-format:	## would that change anything?
	@test/run format

analyse:	## cppcheck and clang-tidy
	@test/run analyse

release-check:	## is the last commit fit to be released? (versions, changelog, upgrade script)
	@scripts/release-check

dist:		## the last commit as a zip for PGXN
	git archive --format zip --prefix vsm-$(VSM_VERSION)/ -o vsm-$(VSM_VERSION).zip HEAD

clean: demo-stop	## remove what was built; ends the demo, whose data lives there

help:
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p; s/^##\t/\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

FORCE:

.PHONY: FORCE objects gateway web gateway-objects fuzz fuzz-sketch viewer install-gateway uninstall-gateway regress-links packages test test-all soak stress stress-cells sanitized debug-server images containers demo demo-stop format check-format analyse release-check dist help
