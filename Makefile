# bouncetap: the whole build. "make" builds, "make demo" audits a real capture, "make test" runs every test. V=1 shows the commands.
VERSION := 0.1
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SYSTEMDDIR ?= $(PREFIX)/lib
# logrotate reads only /etc/logrotate.d
LOGROTATEDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),$(SYSCONFDIR),$(PREFIX)/etc)/logrotate.d
BUILD ?= build
# One name for one tree, however it was given: objects know the headers that they depend on by it
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
CFLAGS ?= -O3 -g
SIZE ?= small
TIME ?= 60

DEBIAN_BUILD := gcc make libc6-dev libpcap-dev libssl-dev libsqlite3-dev libinih-dev libndpi-dev libseccomp-dev libcap-ng-dev libc-ares-dev libpsl-dev publicsuffix libidn2-dev libncurses-dev libmaxminddb-dev
DEBIAN_TEST := clang libclang-rt-14-dev libcmocka-dev python3 python3-jsonschema sqlite3 mandoc iproute2 util-linux systemd ethtool tcpdump tcpreplay rbldnsd tmux python3-flufl.bounce libmail-deliverystatus-bounceparser-perl libmaxmind-db-writer-perl
DEBIAN_BENCH := python3 sqlite3

WARN := -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla
CPPFLAGS_ALL := -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DPREFIX='"$(PREFIX)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -I. -I$(BUILD)/gen $(CPPFLAGS)
CFLAGS_ALL := $(WARN) $(CFLAGS)
LIBS_SENSOR := -lpcap -lndpi -lsqlite3 -lcrypto -linih -lseccomp -lcap-ng -pthread
LIBS_ANALYZER := -lsqlite3 -lcrypto -linih -lcares -lpsl -lidn2 -lmaxminddb
LIBS_TUI := -lncursesw -ltinfo -lsqlite3 -lcrypto -linih -lmaxminddb
LIBS_TEST := $(sort $(LIBS_SENSOR) $(LIBS_ANALYZER) $(LIBS_TUI))

COMMON := $(wildcard common/*.c schema/*.c)
SENSOR := $(wildcard sensor/*.c)
READER := $(wildcard reader/*.c)
ANALYZER := $(wildcard analyzer/*.c)
TUI := $(wildcard tui/*.c)
GEN := $(patsubst schema/%.sql,$(BUILD)/gen/%.sql.h,$(wildcard schema/*.sql)) $(patsubst analyzer/%.css,$(BUILD)/gen/%.css.h,$(wildcard analyzer/*.css))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
FEEDER := $(BUILD)/tests/stress/feeder
HOSTILE := $(BUILD)/tests/hostile/damage $(BUILD)/tests/hostile/bouncetapd-oom
WRAP := malloc calloc reallocarray strdup strndup vasprintf
DROPS := $(BUILD)/tests/drops/drops
BENCH := $(BUILD)/tests/bench/generate $(BUILD)/tests/bench/yardstick $(BUILD)/tests/bench/send $(BUILD)/tests/bench/history
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
literal = sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@

ifeq ($(V),1)
say :=
else
say = @echo "  $(1) $(2)";
endif
# All cores, unless make was told how many; what a compiler says stays together
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc)) --output-sync=target
SANITIZE := -O1 -g -Werror -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

all: check-packages programs
programs: $(BUILD)/bouncetapd $(BUILD)/bouncetap $(BUILD)/bouncetop
unit: $(UNIT) $(FEEDER) $(HOSTILE) $(DROPS) $(BUILD)/tests/bench/history
fuzz-targets: $(FUZZ)

$(BUILD)/bouncetapd: $(call obj,$(COMMON) $(SENSOR))
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR)

$(BUILD)/bouncetap: $(call obj,$(COMMON) $(READER) $(ANALYZER))
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_ANALYZER)

$(BUILD)/bouncetop: $(call obj,$(COMMON) $(READER) $(TUI))
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_TUI)

$(BUILD)/%.o: %.c Makefile | $(GEN)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# schema/facts.sql -> a string literal, so that programs carry their schema, and reports their style
$(BUILD)/gen/%.sql.h: schema/%.sql
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(literal)

$(BUILD)/gen/%.css.h: analyzer/%.css
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(literal)

# Everything but the main files. A unit test includes the .c it tests; the archive gives the rest.
$(BUILD)/libtest.a: $(call obj,$(filter-out %/main.c tui/screen.c,$(COMMON) $(SENSOR) $(READER) $(ANALYZER) $(TUI)))
	@rm -f $@
	$(call say,AR,$@)ar rcs $@ $^

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libtest.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP -o $@ $< $(BUILD)/libtest.a -lcmocka $(LIBS_TEST)

$(FEEDER): $(call obj,$(wildcard tests/stress/*.c)) $(BUILD)/libtest.a
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR)

$(BUILD)/tests/hostile/damage: $(BUILD)/tests/hostile/damage.o $(BUILD)/libtest.a
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR)

# The sensor with allocations that fail when they are told to
$(BUILD)/tests/hostile/bouncetapd-oom: $(call obj,$(COMMON) $(SENSOR) tests/hostile/oom.c)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) $(WRAP:%=-Wl,--wrap=%) -o $@ $^ $(LIBS_SENSOR)

$(DROPS): $(call obj,tests/drops/drops.c) $(BUILD)/libtest.a
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR)

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/libtest.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(BUILD)/libtest.a $(LIBS_SENSOR)

$(BUILD)/tests/bench/generate: $(call obj,$(wildcard tests/bench/generate*.c) common/buf.c common/xmalloc.c)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lm

$(BUILD)/tests/bench/history: $(call obj,tests/bench/history.c tests/bench/generate_random.c) $(BUILD)/libtest.a
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR) -lm

$(BUILD)/tests/bench/send: $(call obj,tests/bench/send.c)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lpcap

$(BUILD)/tests/bench/yardstick: $(call obj,tests/bench/yardstick.c)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lpcap -lsqlite3

check-packages:
	@tools/need-packages $(DEBIAN_BUILD)

demo:
	@tools/need-packages --install $(DEBIAN_BUILD)
	@$(MAKE) -s $(JOBS) programs
	@$(BUILD)/bouncetap audit --config samples/pcaps/postfix-backup-mx.conf samples/pcaps/postfix-backup-mx.pcap

# The suite runs on a build with sanitizers; gcc has to be content with the sources, too.
test test-long:
	@tools/need-packages --install $(DEBIAN_BUILD) $(DEBIAN_TEST)
	@$(MAKE) -s $(JOBS) CFLAGS="-O3 -g -Werror" programs unit $(BENCH)
	@$(MAKE) -s $(JOBS) BUILD=$(BUILD)/san CC=clang CFLAGS="$(SANITIZE)" programs unit
	@$(MAKE) -s $(JOBS) BUILD=$(BUILD)/tsan CC=clang CFLAGS="-O1 -g -Werror -fsanitize=thread" $(BUILD)/tsan/bouncetapd
	@$(MAKE) -s $(JOBS) BUILD=$(BUILD)/fuzz CC=clang CFLAGS="$(SANITIZE) -fsanitize=fuzzer-no-link" fuzz-targets
	@$(if $(filter test-long,$@),BOUNCETAP_ALL=1) tests/run --build $(BUILD)/san

bench:
	@tools/need-packages --install $(DEBIAN_BUILD) $(DEBIAN_BENCH)
	@$(MAKE) -s $(JOBS) programs $(BENCH)
	@SIZE=$(SIZE) tests/bench/run

bench-top:
	@tools/need-packages --install $(DEBIAN_BUILD) $(DEBIAN_BENCH)
	@$(MAKE) -s $(JOBS) programs
	@SIZE=$(SIZE) tests/bench/top.py --build $(BUILD)

bench-analysis:
	@tools/need-packages --install $(DEBIAN_BUILD) $(DEBIAN_BENCH)
	@$(MAKE) -s $(JOBS) programs $(BENCH)
	@SIZE=$(SIZE) tests/bench/analysis --build $(BUILD)

fuzz:
	@tools/need-packages --install $(DEBIAN_BUILD) $(DEBIAN_TEST)
	@$(MAKE) -s $(JOBS) BUILD=$(BUILD)/fuzz CC=clang CFLAGS="$(SANITIZE) -fsanitize=fuzzer-no-link" fuzz-targets
	@tests/fuzz/run $(BUILD)/fuzz/tests/fuzz $(TIME)

lab:
	@tests/lab/run $(or $(SCENARIO),postfix-backup-mx exim-callout-and-bounce)

# Unseen tests: the same stories with other names, addresses and numbers.
lab-fresh: programs
	@tests/lab/run --seed $(or $(SEED),1) --out $(BUILD)/lab-fresh $(or $(SCENARIO),all)
	@tests/conformance.py --build $(BUILD) $(BUILD)/lab-fresh/*.pcap

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/bouncetap/lists.d
	install -m 755 $(BUILD)/bouncetapd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(BUILD)/bouncetap $(BUILD)/bouncetop $(DESTDIR)$(PREFIX)/bin/
	install -m 644 data/lists.d/*.list $(DESTDIR)$(PREFIX)/share/bouncetap/lists.d/
	install -d $(DESTDIR)$(SYSTEMDDIR)/systemd/system $(DESTDIR)$(SYSTEMDDIR)/sysusers.d $(DESTDIR)$(SYSTEMDDIR)/tmpfiles.d
	for u in systemd/*.service systemd/*.timer; do sed 's|/usr/local/|$(PREFIX)/|' $$u > $(DESTDIR)$(SYSTEMDDIR)/systemd/system/$${u##*/} || exit 1; done
	install -D -m 644 systemd/bouncetap.logrotate $(DESTDIR)$(LOGROTATEDIR)/bouncetap
	install -m 644 systemd/bouncetap.sysusers $(DESTDIR)$(SYSTEMDDIR)/sysusers.d/bouncetap.conf
	install -m 644 systemd/bouncetap.tmpfiles $(DESTDIR)$(SYSTEMDDIR)/tmpfiles.d/bouncetap.conf
	for m in man/*.[158]; do install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done

clean:
	rm -rf $(BUILD)

.PHONY: all programs unit fuzz-targets check-packages demo test test-long bench bench-top bench-analysis fuzz lab lab-fresh install clean
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' -not -path '$(BUILD)/san/*' -not -path '$(BUILD)/tsan/*' -not -path '$(BUILD)/fuzz/*' 2>/dev/null)
