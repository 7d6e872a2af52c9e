# reengage: the extension, its courier, and everything to try and test them.
#
#   make deps     install what is missing, or name it
#   make          build
#   make install  install into the PostgreSQL that PG_CONFIG names
#   make installcheck  the SQL tests, on a test server that runs with it installed
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
#   make dist     archives of the last commit, a zip as PGXN takes it
#   make release  the version in reengage.control, of which nothing changes from then on
#   make packages the builds of docs/packaging.md, each tried in a chroot
#   make hostile  a day of 20 applications, five of them hostile, MINUTES=10, SEED=1
#   make fleet    a day of a front and three nodes, of which one dies, NUDGES=100000, SEED=1

# PGXS builds in another folder, too: make -f /path/to/Makefile.  What is named here
# is found there by VPATH.
here := $(dir $(lastword $(MAKEFILE_LIST)))
sources = $(patsubst $(here)%,%,$(sort $(wildcard $(addprefix $(here),$(1)))))

EXTENSION = reengage reengage_front
MODULE_big = reengage
REENGAGE_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(here)reengage.control)
SCRIPT = reengage--$(REENGAGE_VERSION).sql
UPDATES = $(patsubst src/sql/%,reengage--%.sql,$(call sources,src/sql/*--*))
# What shows several such databases as one has the same version.
FRONT_SCRIPT = reengage_front--$(REENGAGE_VERSION).sql
DATA_built = $(SCRIPT) $(UPDATES) $(FRONT_SCRIPT)
SCRIPTS = src/top/reengage-top src/rehearsal/reengage-rehearse

COMMON = $(call sources,src/common/*.c)
BACKEND = $(call sources,src/backend/*/*.c)
COURIER = $(call sources,src/courier/*.c)
OBJS = $(COMMON:.c=.o) $(BACKEND:.c=.o)
COURIER_OBJS = $(COMMON:.c=.plain.o) $(COURIER:.c=.plain.o)
ALL_HEADERS = $(call sources,src/*/*.h src/backend/*/*.h)
PARTS = $(call sources,src/sql/*.sql)
FRONT_PARTS = $(call sources,src/front/*.sql)
EXTRA_CLEAN = reengage-courier $(COURIER_OBJS) .asserts

# A package of the next version removes neither what a server runs that has not
# been restarted yet, nor what it would start.
INSTALLED_COURIER = reengage-courier-$(REENGAGE_VERSION)

# With test points (src/common/test_point.h) and assertions, whatever the server
# was built with.  Whether an object has them does not show, so it must never lie
# in a tree that real ones are built in.
ifdef TEST_POINTS
ifneq ($(wildcard $(here)test/run),)
$(error TEST_POINTS=1 is for a copy of the tree: stage_test_points in test/lib/stage.sh makes one)
endif
DEFINE_TEST_POINTS = -DREENGAGE_TEST_POINTS -DUSE_ASSERT_CHECKING
OBJS += test/faults/test_point.o
COURIER_OBJS += test/faults/test_point.plain.o
endif

# Debian's packages, and whoever else builds twice, want the same bytes from any folder.
SAME_BYTES = -ffile-prefix-map=$(here)= -ffile-prefix-map=$(abspath $(here))=. -ffile-prefix-map=$(CURDIR)=.

PG_CPPFLAGS = -I$(here)src/common -I$(here)src/backend -D_GNU_SOURCE -DREENGAGE_VERSION='"$(REENGAGE_VERSION)"' $(DEFINE_TEST_POINTS)
# The headers of 19 want what the compiler speaks by itself.
C_STANDARD = $(if $(filter 15 16 17 18,$(MAJORVERSION)),-std=gnu99)
PG_CFLAGS = $(C_STANDARD) -Wextra -Wno-declaration-after-statement -Wno-unused-parameter \
	-Wno-missing-field-initializers -Wno-sign-compare $(SAME_BYTES) $(WERROR)

# PGXS's own would run the SQL tests without an API to call.
NO_INSTALLCHECK = 1

# No function of ours gains from being inlined into a query's machine code.
override with_llvm = no

# The courier knows nothing of PostgreSQL, not even its headers, but it reads
# what strangers send: it is hardened as whoever builds says, as a distribution's
# flags do, or else as the distribution has hardened the server.  Taken before
# PGXS gives these names its own values.
GIVEN_CFLAGS := $(CFLAGS)
GIVEN_CPPFLAGS := $(CPPFLAGS)
GIVEN_LDFLAGS := $(LDFLAGS)

PG_CONFIG ?= pg_config
comma := ,
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
pkglibdir := $(shell $(PG_CONFIG) --pkglibdir)
# Folders that an installation makes are everybody's to read, whatever the umask is.
MKDIR_P := umask 022; $(MKDIR_P)
else
all install clean:
	@echo "PostgreSQL's server headers are missing: make deps installs them" >&2; exit 1
endif

# It takes its part of common/ with it, compiled as plain C.
flags_of_server = $(filter $(2),$(shell $(PG_CONFIG) --$(1) 2>/dev/null))
COURIER_CFLAGS := $(or $(GIVEN_CFLAGS),-g -O2 $(call flags_of_server,cflags,-f%)) \
	$(or $(GIVEN_CPPFLAGS),$(call flags_of_server,cppflags,-D_FORTIFY_SOURCE% -U_FORTIFY_SOURCE))
COURIER_LDFLAGS := $(or $(GIVEN_LDFLAGS),$(call flags_of_server,ldflags,-Wl$(comma)-z% -pie))
PLAIN_CFLAGS = $(COURIER_CFLAGS) -std=gnu99 -Wall -Wextra $(SAME_BYTES) $(WERROR)
%.plain.o: %.c $(ALL_HEADERS) | folders
	$(CC) $(PLAIN_CFLAGS) -I$(here)src/common -DREENGAGE_VERSION='"$(REENGAGE_VERSION)"' $(DEFINE_TEST_POINTS) -c -o $@ $<

reengage-courier: $(COURIER_OBJS)
	$(CC) $(PLAIN_CFLAGS) $(COURIER_LDFLAGS) -o $@ $^ -lcurl -ljson-c

# In one go, so that no half of a script is ever taken for one.  It names its parts as
# the tree does, wherever it is made.
assemble = to=$$PWD && cd $(or $(here),.) && LC_ALL=C awk -f src/sql/assemble.awk $(1) >"$$to/$@.new" && mv "$$to/$@.new" "$$to/$@"
$(SCRIPT): src/sql/assemble.awk $(PARTS) reengage.control
	$(call assemble,-v version=$(REENGAGE_VERSION) $(PARTS))
$(FRONT_SCRIPT): src/sql/assemble.awk $(FRONT_PARTS) reengage_front.control
	$(call assemble,-v version=$(REENGAGE_VERSION) $(FRONT_PARTS))
$(UPDATES): reengage--%.sql: src/sql/assemble.awk $(PARTS) $(call sources,src/sql/*--*/*.sql)
	$(call assemble,-v update=1 -v version=$(lastword $(subst --, ,$*)) $(call sources,src/sql/$*/*.sql))

$(OBJS): $(ALL_HEADERS) | folders
folders:
	@mkdir -p $(sort $(dir $(OBJS) $(COURIER_OBJS)))
all: reengage-courier
install: install-courier
install-courier: reengage-courier
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_PROGRAM) reengage-courier '$(DESTDIR)$(pkglibdir)/$(INSTALLED_COURIER)'
clean: clean-simulator
clean-simulator:
	$(MAKE) -C $(here)test/simulator clean
uninstall: uninstall-courier
# PGXS looks for a script where its source is, below bin
uninstall-courier:
	rm -f '$(DESTDIR)$(pkglibdir)/$(INSTALLED_COURIER)' $(addprefix '$(DESTDIR)$(bindir)'/, $(notdir $(SCRIPTS)))

deps:
	$(here)test/deps
demo: deps
	$(here)test/demo/run $(if $(DATA_FILE),'$(DATA_FILE)')
test:
	$(here)test/deps fuzz clocks browser monitoring cron
	$(here)test/run
test-quick: deps
	$(here)test/run quick
test-asserts:
	$(here)test/deps fuzz clocks browser monitoring cron
	POSTGRES=$(POSTGRES) $(here)test/asserts
matrix:
	VERSIONS='$(VERSIONS)' $(here)test/matrix
installcheck:
	PG_CONFIG='$(PG_CONFIG)' $(here)test/installcheck $(REGRESS)
# What is not committed is not in it.
DISTRIBUTION = reengage-$(shell sed -n '/"provides"/q; s/^ *"version": "\(.*\)",/\1/p' $(here)META.json)
dist:
	cd $(here) && TZ=UTC git archive --format=zip --prefix=$(DISTRIBUTION)/ -o '$(CURDIR)/$(DISTRIBUTION).zip' HEAD
	cd $(here) && TZ=UTC git archive --format=tar.gz --prefix=$(DISTRIBUTION)/ -o '$(CURDIR)/$(DISTRIBUTION).tar.gz' HEAD
packages:
	$(here)test/packages
release:
	$(here)packaging/release
lint-sql:
	$(here)test/run lint
bench: deps
	$(here)test/bench/run
bench-quick: deps
	$(here)test/bench/run quick
fuzz:
	$(here)test/deps fuzz
	$(here)test/fuzz/run $(or $(SECONDS),60)
torture: deps
	N=$(or $(N),2000) KILLS=$(or $(KILLS),20) SEED=$(or $(SEED),1) KEYS=$(KEYS) $(here)test/faults/run
hostile: deps
	MINUTES=$(or $(MINUTES),10) SEED=$(or $(SEED),1) $(here)test/run tap 175_hostile_day
fleet: deps
	NUDGES='$(NUDGES)' SEED='$(SEED)' ORGANISATIONS='$(ORGANISATIONS)' $(here)test/fleet/run

.PHONY: folders installcheck dist packages release deps demo test test-quick test-asserts matrix lint-sql bench bench-quick fuzz torture hostile fleet install-courier uninstall-courier clean-simulator
