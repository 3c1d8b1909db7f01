# vsm: builds on PGXS.  `make help` lists the targets.
#
# Objects, dependency files and the install script are made under build/;
# PGXS insists on vsm.so beside this file.

EXTENSION = vsm
MODULE_big = vsm
VSM_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" vsm.control)

BUILD = build/obj
OBJS = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/*.c))
DATA_built = $(BUILD)/vsm--$(VSM_VERSION).sql
EXTRA_CLEAN = build

# To a user DATA is the file of `make demo DATA=...`; to PGXS, what to install.
DEMO_DATA := $(if $(filter command environment,$(origin DATA)),$(DATA))
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
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server) -DVSM_VERSION='"$(VSM_VERSION)"'
PG_CFLAGS = -Wall -Wextra $(WERROR) -Wno-unused-parameter

# Nothing here is worth inlining into a query: no bitcode, so no LLVM to install.
override with_llvm = no

# The newest server that has its development files; else the pg_config of PATH.
ifeq ($(origin PG_CONFIG),undefined)
PG_CONFIG := $(or $(shell ls -d /usr/lib/postgresql/*/lib/pgxs 2>/dev/null | \
	sort -V | tail -n 1 | sed 's,lib/pgxs$$,bin/pg_config,'),pg_config)
endif
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

all:		## the extension

install:	## put it into the server of PG_CONFIG (as root)

ifneq ($(PGXS),)
include $(PGXS)

# pg_config's CFLAGS are gcc's; clang knows most of them.
ifneq ($(findstring clang,$(CC)),)
override CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

objects: $(OBJS)

$(BUILD)/%.o: src/%.c $(BUILD)/flags
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The same value is in the same bucket on every machine.
$(BUILD)/sketch.o $(BUILD)/sketch_walk.o: override CFLAGS += -ffp-contract=off

-include $(wildcard $(BUILD)/*.d)

# Another compiler, server or option is another build, and so is a file that went.
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
	@echo >&2 "vsm needs PostgreSQL's server development files ($(PG_CONFIG) --pgxs finds none)."
	@echo >&2 "Hint: run \"make packages\", or name another server: make PG_CONFIG=/path/to/pg_config"
	@false

clean:
	rm -rf build
endif

$(BUILD)/vsm--$(VSM_VERSION).sql: sql/vsm.sql vsm.control
	@mkdir -p $(@D)
	cp $< $@

# pg_regress wants its inputs and expected/ side by side.
regress-links:
	@mkdir -p build/regress
	@ln -sfn ../../test/sql build/regress/sql
	@ln -sfn ../../test/specs build/regress/specs
	@ln -sfn ../../expected build/regress/expected

packages:	## install what building and the demo need (Debian: apt)
	scripts/packages

test:		## all tests; PART="regress pgtap" for some (test/run --help)
	@test/run $(PART)

stress:		## 64 clients, aborts and kills for 5 minutes: no limit is ever exceeded, no place leaks
	test/stress

debug-server:	## the tests with assertions and sanitizers, and a load under valgrind
	test/debug-server

demo:		## a private server with a simulated stream; DATA=file.csv[.gz] for your own log
	@DATA='$(subst ','\'',$(DEMO_DATA))' demo/run

demo-stop:	## end the demo and its server
	@test ! -x demo/run || demo/run --stop

fuzz-sketch:	## feed the sketches' code with nonsense for FUZZ_SECONDS (60) each
	test/fuzz/run

format:		## lay out the C sources
	scripts/format src/*.[ch]

check-format:	## would that change anything?
	@test/run format

analyse:	## cppcheck and clang-tidy
	@test/run analyse

dist:		## the last commit as a zip for PGXN
	git archive --format zip --prefix vsm-$(VSM_VERSION)/ -o vsm-$(VSM_VERSION).zip HEAD

clean: demo-stop	## remove what was built; ends the demo, whose data lives there

help:
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

FORCE:

.PHONY: FORCE objects regress-links packages test stress debug-server fuzz-sketch demo demo-stop format check-format analyse dist help
