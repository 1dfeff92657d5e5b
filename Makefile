# bouncetap: the whole build. "make" builds, "make demo" audits a real capture, "make test" runs everything. V=1 shows the commands.
VERSION := 0.1
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CC ?= cc
CFLAGS ?= -O3 -g
BUILD ?= build

PACKAGES_BUILD := libpcap libcrypto sqlite3 libndpi libmaxminddb ncursesw
DEBIAN_BUILD := gcc make pkg-config libpcap-dev libssl-dev libsqlite3-dev libinih-dev
DEBIAN_TEST := clang libclang-rt-14-dev libcmocka-dev python3 python3-jsonschema sqlite3 mandoc iproute2 git

WARN := -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla
CPPFLAGS_ALL := -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DPREFIX='"$(PREFIX)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -I. -I$(BUILD)/gen $(CPPFLAGS)
CFLAGS_ALL := $(WARN) $(CFLAGS)
LIBS_D := -lpcap -lsqlite3 -lcrypto -linih -pthread
LIBS_A := -lsqlite3 -lcrypto -linih

COMMON := $(wildcard common/*.c schema/*.c)
SENSOR := $(wildcard sensor/*.c)
ANALYZER := $(wildcard analyzer/*.c)
GEN := $(patsubst schema/%.sql,$(BUILD)/gen/%.sql.h,$(wildcard schema/*.sql))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))

ifeq ($(V),1)
Q :=
else
Q := @
say = @echo "  $(1) $(2)";
endif

all: check-packages $(BUILD)/bouncetapd $(BUILD)/bouncetap

$(BUILD)/bouncetapd: $(call obj,$(COMMON) $(SENSOR))
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_D)

$(BUILD)/bouncetap: $(call obj,$(COMMON) $(ANALYZER))
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS_A)

$(BUILD)/%.o: %.c Makefile | $(GEN)
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# schema/facts.sql -> a string literal, so that programs carry their schema
$(BUILD)/gen/%.sql.h: schema/%.sql
	$(Q)mkdir -p $(@D)
	$(call say,GEN,$@)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@

# A unit test includes the .c file it tests and links the rest of the modules it needs (all of common, schema and its side).
$(BUILD)/tests/unit/%: tests/unit/%.c $(GEN) $(BUILD)/libtest.a
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP -o $@ $< $(BUILD)/libtest.a -lcmocka $(LIBS_D)

$(BUILD)/libtest.a: $(call obj,$(COMMON) $(filter-out sensor/main.c,$(SENSOR)) $(filter-out analyzer/main.c,$(ANALYZER)))
	$(Q)rm -f $@
	$(call say,AR,$@)ar rcs $@ $^

unit: $(UNIT)

check-packages:
	$(Q)tools/need-packages $(DEBIAN_BUILD)

clean:
	rm -rf $(BUILD)

.PHONY: all unit check-packages clean
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
