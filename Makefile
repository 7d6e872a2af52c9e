# reengage: the extension, its courier, and everything to try and test them.
#
#   make deps     install what is missing, or name it
#   make          build
#   make install  install into the PostgreSQL that PG_CONFIG names
#   make demo     the main job on example data, in a private PostgreSQL
#   make test     every test; test/run KIND NAME... runs some of them, as
#                 test/run tap 090_hostile_api or test/run sql nudges
#   make test-quick  those that a change of a line needs, in 90 s
#   make test-asserts  every test on a server that is built with assertions,
#                 POSTGRES=18: another version
#   make matrix   those that depend on it on each version of PostgreSQL that Debian
#                 has, in chroots, as root; VERSIONS="17 18": on these
#   make lint-sql  what pgspot says of the extension's script
#   make bench    measurements, and the contest with other ways to do the same; ROUNDS=3
#   make bench-quick  the contest in small, in 3 minutes
#   make fuzz     fuzz the parsers, SECONDS=60 each
#   make torture  kill everything at random, N=2000 nudges, KILLS=20, SEED=1;
#                 KEYS=1: at an API that honours idempotency keys
#   make hostile  a day of 20 applications, five of them hostile, MINUTES=10, SEED=1

EXTENSION = reengage
MODULE_big = reengage
REENGAGE_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" reengage.control)
SCRIPT = reengage--$(REENGAGE_VERSION).sql
DATA = $(wildcard reengage--*--*.sql)
DATA_built = $(SCRIPT)
SCRIPTS = src/top/reengage-top

COMMON = $(wildcard src/common/*.c)
BACKEND = $(wildcard src/backend/*/*.c)
COURIER = $(wildcard src/courier/*.c)
OBJS = $(COMMON:.c=.o) $(BACKEND:.c=.o)
COURIER_OBJS = $(COMMON:.c=.plain.o) $(COURIER:.c=.plain.o)
ALL_HEADERS = $(wildcard src/*/*.h src/backend/*/*.h)
EXTRA_CLEAN = reengage-courier $(COURIER_OBJS) .asserts

# With test points (src/common/test_point.h) and assertions, whatever the server
# was built with.  Whether an object has them does not show, so it must never lie
# in a tree that real ones are built in.
ifdef TEST_POINTS
ifneq ($(wildcard test/run),)
$(error TEST_POINTS=1 is for a copy of the tree: stage_test_points in test/lib/stage.sh makes one)
endif
DEFINE_TEST_POINTS = -DREENGAGE_TEST_POINTS -DUSE_ASSERT_CHECKING
OBJS += test/faults/test_point.o
COURIER_OBJS += test/faults/test_point.plain.o
endif

PG_CPPFLAGS = -Isrc/common -Isrc/backend -D_GNU_SOURCE -DREENGAGE_VERSION='"$(REENGAGE_VERSION)"' $(DEFINE_TEST_POINTS)
# The headers of 19 want what the compiler speaks by itself.
C_STANDARD = $(if $(filter 15 16 17 18,$(MAJORVERSION)),-std=gnu99)
PG_CFLAGS = $(C_STANDARD) -Wextra -Wno-declaration-after-statement -Wno-unused-parameter \
	-Wno-missing-field-initializers -Wno-sign-compare $(WERROR)

# No function of ours gains from being inlined into a query's machine code.
override with_llvm = no

PG_CONFIG ?= pg_config
comma := ,
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
pkglibdir := $(shell $(PG_CONFIG) --pkglibdir)
else
all install clean:
	@echo "PostgreSQL's server headers are missing: make deps installs them" >&2; exit 1
endif

# The courier knows nothing of PostgreSQL, not even its headers, but it reads
# what strangers send: it is hardened as the distribution has hardened the server.
# It takes its part of common/ with it, compiled as plain C.
HARDENING_CFLAGS := $(filter -f%,$(shell $(PG_CONFIG) --cflags 2>/dev/null)) \
	$(filter -D_FORTIFY_SOURCE% -U_FORTIFY_SOURCE,$(shell $(PG_CONFIG) --cppflags 2>/dev/null))
HARDENING_LDFLAGS := $(filter -Wl$(comma)-z% -pie,$(shell $(PG_CONFIG) --ldflags 2>/dev/null))
PLAIN_CFLAGS = $(HARDENING_CFLAGS) -std=gnu99 -O2 -g -Wall -Wextra $(WERROR)
%.plain.o: %.c $(ALL_HEADERS)
	$(CC) $(PLAIN_CFLAGS) -Isrc/common -DREENGAGE_VERSION='"$(REENGAGE_VERSION)"' $(DEFINE_TEST_POINTS) -c -o $@ $<

reengage-courier: $(COURIER_OBJS)
	$(CC) $(PLAIN_CFLAGS) $(HARDENING_LDFLAGS) -o $@ $^ -lcurl -ljson-c

# In one go, so that no half of a script is ever taken for one.
$(SCRIPT): src/sql/assemble.awk $(wildcard src/sql/*.sql) reengage.control
	LC_ALL=C awk -f src/sql/assemble.awk $(sort $(wildcard src/sql/*.sql)) >$@.new && mv $@.new $@

$(OBJS): $(ALL_HEADERS)
all: reengage-courier
install: install-courier
install-courier: reengage-courier
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_PROGRAM) reengage-courier '$(DESTDIR)$(pkglibdir)/'
clean: clean-simulator
clean-simulator:
	$(MAKE) -C test/simulator clean
uninstall: uninstall-courier
uninstall-courier:
	rm -f '$(DESTDIR)$(pkglibdir)/reengage-courier'

deps:
	test/deps
demo: deps
	test/demo/run $(if $(DATA_FILE),'$(DATA_FILE)')
test:
	test/deps fuzz clocks browser monitoring cron
	test/run
test-quick: deps
	test/run quick
test-asserts:
	test/deps fuzz clocks browser monitoring cron
	POSTGRES=$(POSTGRES) test/asserts
matrix:
	VERSIONS='$(VERSIONS)' test/matrix
lint-sql:
	test/run lint
bench: deps
	test/bench/run
bench-quick: deps
	test/bench/run quick
fuzz:
	test/deps fuzz
	test/fuzz/run $(or $(SECONDS),60)
torture: deps
	N=$(or $(N),2000) KILLS=$(or $(KILLS),20) SEED=$(or $(SEED),1) KEYS=$(KEYS) test/faults/run
hostile: deps
	MINUTES=$(or $(MINUTES),10) SEED=$(or $(SEED),1) test/run tap 175_hostile_day

.PHONY: deps demo test test-quick test-asserts matrix lint-sql bench bench-quick fuzz torture hostile install-courier uninstall-courier clean-simulator
