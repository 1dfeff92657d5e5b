/* doctor_store.c - see doctor.h. Reads what a reader may; the store is not changed and nothing in it locked. */
#include "analyzer/doctor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "schema/db.h"

#define STORE "store"
#define SENSOR "sensor"
#define TAP "tap"
#define MIB (1024 * 1024)
#define MINUTE_US 60000000ll
#define HOUR_US 3600000000ll
#define WINDOW_US (7 * 24 * HOUR_US)

enum {
	PATH_BYTES = 4096, ERROR_MAX = 512,
	FREE_BAD_MIB = 256,		/* a busy sensor writes that in minutes */
	FREE_NOTE_PERCENT = 10,
	WAL_NOTE_MIB = 512,		/* the sensor moves it into the database at 80 MiB, unless a reader keeps it */
	SILENT_MINUTES = 15,
	DROPS_BAD_PER_MILLE = 1, ONE_SIDED_BAD_PERCENT = 5,
	SESSIONS_LOOKED_AT = 10000,
};

enum statement { LAST_RUN, LOST, COUNTERS, HOURS, CLOCKS, STATEMENT_COUNT };

/* ?1: where the window begins. */
static const char *const sql[STATEMENT_COUNT] = {
	[LAST_RUN] = "SELECT r.started_us, r.ended_us, r.end_reason, r.interfaces IS NOT NULL, (SELECT max(end_us) FROM capture WHERE run_id = r.id)"
		     " FROM sensor_run r ORDER BY r.id DESC LIMIT 1",
	[LOST] = "SELECT coalesce(sum(facts_lost), 0), count(*) - count(ended_us) FROM sensor_run WHERE started_us >= ?1",
	[COUNTERS] = "SELECT coalesce(sum(packets), 0), coalesce(sum(bytes), 0), coalesce(sum(kernel_drops), 0), coalesce(sum(interface_drops), 0),"
		     " coalesce(sum(unseen_bytes), 0), coalesce(sum(evicted), 0), coalesce(sum(sessions), 0), coalesce(sum(encrypted_sessions), 0),"
		     " coalesce(sum(one_sided_sessions), 0) FROM capture WHERE start_us >= ?1",
	[HOURS] = "SELECT count(DISTINCT start_us / 3600000000), max(start_us) / 3600000000 - min(start_us) / 3600000000 + 1 FROM capture"
		  " WHERE packets > 0 AND start_us >= ?1",
	[CLOCKS] = "SELECT coalesce(sum(' ' || notes || ' ' LIKE '% clock-backward %'), 0), count(*) FROM"
		   " (SELECT notes FROM sessions ORDER BY id DESC LIMIT ?1)",
};

struct look {
	struct doctor *d;
	const char *dir;
	struct stat st;		/* of the directory */
	sqlite3 *db;
};

/* ---- files ---- */

static bool stat_file(const struct look *l, const char *name, const char *suffix, struct stat *out)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/%s%s", l->dir, name, suffix);
	return lstat(path, out) == 0;
}

static unsigned mode_of(const struct stat *st)
{
	return (unsigned)st->st_mode & 07777;
}

static bool look_at_directory(struct look *l)
{
	if (stat(l->dir, &l->st)) {
		doctor_say(l->d, DOCTOR_BAD, STORE, "%s: %s", l->dir, strerror(errno));
		doctor_advise(l->d, errno == ENOENT ? "bouncetapd makes it; [store] dir or --store names another." : "As root more can be seen.");
		return false;
	}
	if (l->st.st_mode & S_IRWXO) {
		doctor_say(l->d, DOCTOR_NOTE, STORE, "%s: open to every user (mode %04o)", l->dir, mode_of(&l->st));
		doctor_advise(l->d, "chmod 0750 %s; who is to read it joins its group.", l->dir);
	}
	if (l->st.st_uid == 0) {
		doctor_say(l->d, DOCTOR_NOTE, STORE, "%s: belongs to root, so the sensor works as root on it", l->dir);
		doctor_advise(l->d, "Stop the sensor, chown -R bouncetap: %s, start it again.", l->dir);
	}
	return true;
}

/* The key makes addresses comparable and is nobody's but the sensor's. */
static void look_at_key(const struct look *l)
{
	struct stat st;

	if (!stat_file(l, "key", "", &st)) {
		bool hidden = errno == EACCES;

		doctor_say(l->d, hidden ? DOCTOR_NOTE : DOCTOR_BAD, STORE, "%s/key: %s", l->dir, strerror(errno));
		doctor_advise(l->d, hidden ? "As root more can be seen." : "Without it the store cannot be continued: put it back, or begin a new store.");
	} else if (mode_of(&st) & 077) {
		doctor_say(l->d, DOCTOR_BAD, STORE, "%s/key: readable for others (mode %04o), who can tell addresses by it", l->dir, mode_of(&st));
		doctor_advise(l->d, "chmod 0600 %s/key", l->dir);
	}
}

static void look_at_file(const struct look *l, enum db_file f)
{
	struct stat st;

	if (!stat_file(l, db_name(f), "", &st))
		return;
	if (st.st_uid != l->st.st_uid) {
		doctor_say(l->d, DOCTOR_BAD, STORE, "%s/%s: belongs to user %u, the store to user %u, who cannot write it", l->dir, db_name(f), (unsigned)st.st_uid,
			   (unsigned)l->st.st_uid);
		doctor_advise(l->d, "chown --reference=%s %s/%s*", l->dir, l->dir, db_name(f));
	} else if (!(st.st_mode & S_IRGRP)) {
		doctor_say(l->d, DOCTOR_NOTE, STORE, "%s/%s: its group cannot read it (mode %04o)", l->dir, db_name(f), mode_of(&st));
		doctor_advise(l->d, "chmod g+r %s/%s*, if others than its owner are to judge or report", l->dir, db_name(f));
	}
}

static void look_at_sizes(const struct look *l)
{
	struct statvfs fs;
	struct stat facts, wal;

	if (!stat_file(l, db_name(DB_FACTS), "", &facts) || statvfs(l->dir, &fs))
		return;
	if (!stat_file(l, db_name(DB_FACTS), "-wal", &wal))
		wal.st_size = 0;
	uint64_t free_mib = (uint64_t)fs.f_bavail * fs.f_frsize / MIB, all_mib = (uint64_t)fs.f_blocks * fs.f_frsize / MIB;
	enum doctor_word word = free_mib < FREE_BAD_MIB ? DOCTOR_BAD : free_mib < all_mib / 100 * FREE_NOTE_PERCENT ? DOCTOR_NOTE : DOCTOR_OK;
	doctor_say(l->d, word, STORE, "%s: facts take %lld MiB; %llu of %llu MiB of the disk are free", l->dir, (long long)(facts.st_size + wal.st_size) / MIB,
		   (unsigned long long)free_mib, (unsigned long long)all_mib);
	if (word != DOCTOR_OK)
		doctor_advise(l->d, "When the disk is full, capture goes on and the oldest facts that are not written yet are lost. Make room.");
	if (wal.st_size / MIB > WAL_NOTE_MIB) {
		doctor_say(l->d, DOCTOR_NOTE, STORE, "facts.db-wal has %lld MiB", (long long)wal.st_size / MIB);
		doctor_advise(l->d, "A program that reads the store keeps it from being cleared: look for one that hangs (fuser -v %s/facts.db).", l->dir);
	}
}

/* ---- what the sensor wrote about itself ---- */

static sqlite3_stmt *query(const struct look *l, enum statement which, int64_t first)
{
	sqlite3_stmt *s = db_prepare(l->db, sql[which]);

	sqlite3_bind_int64(s, 1, first);
	return s;
}

/* Whether a sensor holds the lock of the store's key; looked up, since taking it for a moment could turn a starting sensor away. */
static bool is_sensor_running(const struct look *l)
{
	char line[256], wanted[64];
	struct stat st;
	bool found = false;
	FILE *locks = fopen("/proc/locks", "re");

	if (!locks || !stat_file(l, "key", "", &st))
		wanted[0] = '\0';
	else
		snprintf(wanted, sizeof wanted, " %02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
	while (locks && !found && *wanted && fgets(line, sizeof line, locks))
		found = strstr(line, " FLOCK ") && strstr(line, wanted);
	if (locks)
		fclose(locks);
	return found;
}

static void look_at_running(const struct look *l, bool live, int64_t last_us, int64_t now_us)
{
	char when[TIME_TEXT_MAX];

	if (live && last_us && now_us - last_us > SILENT_MINUTES * MINUTE_US) {
		doctor_say(l->d, DOCTOR_BAD, SENSOR, "runs, but has seen no packet since %s", time_format_local(last_us, when));
		doctor_advise(l->d, "Look at the span session of the switch, and at the filter (bouncetapd --print-filter).");
	} else
		doctor_say(l->d, DOCTOR_OK, SENSOR, "runs");
}

static void look_at_ended(const struct look *l, bool live, int64_t ended_us, const char *reason)
{
	char when[TIME_TEXT_MAX];
	bool fine = strcmp(reason, "done") == 0;

	doctor_say(l->d, fine ? DOCTOR_OK : live ? DOCTOR_BAD : DOCTOR_NOTE, SENSOR, "does not run; the last run ended at %s: %s",
		   time_format_local(ended_us, when), reason);
	if (strcmp(reason, "damaged") == 0)
		doctor_advise(l->d, "A capture file was damaged: what is behind the damage was not seen.");
	else if (!fine)
		doctor_advise(l->d, live ? "systemctl start bouncetapd" : "It did not come to the end of its files: the same command goes on with them.");
}

static void look_at_last_run(const struct look *l, int64_t now_us)
{
	sqlite3_stmt *s = query(l, LAST_RUN, 0);
	char when[TIME_TEXT_MAX];

	if (sqlite3_step(s) != SQLITE_ROW)
		doctor_say(l->d, DOCTOR_NOTE, SENSOR, "has not run on this store yet");
	else if (is_sensor_running(l))
		look_at_running(l, sqlite3_column_int(s, 3), sqlite3_column_int64(s, 4), now_us);
	else if (sqlite3_column_type(s, 1) != SQLITE_NULL)
		look_at_ended(l, sqlite3_column_int(s, 3), sqlite3_column_int64(s, 1), (const char *)sqlite3_column_text(s, 2));
	else {
		doctor_say(l->d, DOCTOR_BAD, SENSOR, "does not run, and the run of %s did not come to its end", time_format_local(sqlite3_column_int64(s, 0), when));
		doctor_advise(l->d, "It was killed, or crashed, or the machine did: journalctl -u bouncetapd, dmesg. What was committed is there.");
	}
	sqlite3_finalize(s);
}

static void look_at_lost(const struct look *l, int64_t since_us)
{
	sqlite3_stmt *s = query(l, LOST, since_us);

	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0) {
		doctor_say(l->d, DOCTOR_BAD, STORE, "%lld facts were lost in seven days, because the store could not be written", (long long)sqlite3_column_int64(s, 0));
		doctor_advise(l->d, "The sensor's messages say why and when: a full disk, or another program that kept the store locked.");
	}
	sqlite3_finalize(s);
}

/* ---- what that says of the tap ---- */

struct counters {
	uint64_t packets, bytes, drops, card_drops, unseen, evicted, sessions, encrypted, one_sided;
};

static struct counters read_counters(const struct look *l, int64_t since_us)
{
	sqlite3_stmt *s = query(l, COUNTERS, since_us);
	struct counters c = { 0 };
	uint64_t *const field[] = { &c.packets, &c.bytes, &c.drops, &c.card_drops, &c.unseen, &c.evicted, &c.sessions, &c.encrypted, &c.one_sided };

	if (sqlite3_step(s) == SQLITE_ROW)
		for (int i = 0; i < (int)(sizeof field / sizeof *field); i++)
			*field[i] = (uint64_t)sqlite3_column_int64(s, i);
	sqlite3_finalize(s);
	return c;
}

static void look_at_loss(const struct look *l, const struct counters *c)
{
	char share[DOCTOR_SHARE_MAX];

	if (c->drops) {
		doctor_say(l->d, c->drops * 1000 > (c->packets + c->drops) * DROPS_BAD_PER_MILLE ? DOCTOR_BAD : DOCTOR_NOTE, TAP, "%s of the packets were dropped on this host",
			   doctor_share(c->drops, c->packets + c->drops, share));
		doctor_advise(l->d, "[capture] ring, --workers, or a filter that leaves out what is not mail, in this order.");
	} else
		doctor_say(l->d, DOCTOR_OK, TAP, "no packet of %llu was dropped on this host", (unsigned long long)c->packets);
	if (c->card_drops) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "%llu packets, mail or not, were dropped by the network card", (unsigned long long)c->card_drops);
		doctor_advise(l->d, "A longer receive ring: ethtool -g, ethtool -G.");
	}
	if (c->unseen) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "%s of the bytes were received by the mail servers and never seen here",
			   doctor_share(c->unseen, c->bytes + c->unseen, share));
		doctor_advise(l->d, "What is not dropped on this host is lost before it: a span port that is given more than it can carry, or a second path.");
	}
	if (c->evicted) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "%llu connections were given up for memory", (unsigned long long)c->evicted);
		doctor_advise(l->d, "[capture] memory");
	}
}

static void look_at_sessions(const struct look *l, const struct counters *c)
{
	char share[DOCTOR_SHARE_MAX];

	if (!c->sessions) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "no SMTP session in seven days");
		doctor_advise(l->d, "Look whether mail servers are behind the tap, and at [capture] ports.");
		return;
	}
	doctor_share(c->one_sided, c->sessions, share);
	if (c->one_sided) {
		doctor_say(l->d, c->one_sided * 100 > c->sessions * ONE_SIDED_BAD_PERCENT ? DOCTOR_BAD : DOCTOR_NOTE, TAP, "%s of %llu sessions show one direction only",
			   share, (unsigned long long)c->sessions);
		doctor_advise(l->d, "The span session has to copy both directions (rx and tx); two-port taps need both interfaces; mail may leave by another way than it comes.");
	} else
		doctor_say(l->d, DOCTOR_OK, TAP, "both directions of all %llu sessions", (unsigned long long)c->sessions);
	if (c->encrypted) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "%s of the sessions are encrypted: who mailed whom is not seen", doctor_share(c->encrypted, c->sessions, share));
		doctor_advise(l->d, "A tap further inside, between filter and mail servers, often sees the same mail in the clear.");
	}
}

static void look_at_hours(const struct look *l, int64_t since_us)
{
	sqlite3_stmt *s = query(l, HOURS, since_us);
	long long with = 0, all = 0;

	if (sqlite3_step(s) == SQLITE_ROW) {
		with = sqlite3_column_int64(s, 0);
		all = sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
	if (with < all) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "nothing was seen in %lld of %lld hours", all - with, all);
		doctor_advise(l->d, "What left in these hours is not known; no server is called clean by it.");
	}
}

static void look_at_clocks(const struct look *l)
{
	sqlite3_stmt *s = query(l, CLOCKS, SESSIONS_LOOKED_AT);

	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0) {
		doctor_say(l->d, DOCTOR_NOTE, TAP, "times went backwards in %lld of the last %lld sessions", (long long)sqlite3_column_int64(s, 0),
			   (long long)sqlite3_column_int64(s, 1));
		doctor_advise(l->d, "Keep the clock of this host with NTP; two capturing interfaces or hosts need the same time.");
	}
	sqlite3_finalize(s);
}

static void look_at_facts(struct look *l, int64_t now_us)
{
	/* A store of old captures is judged by their own time. */
	int64_t last_us = db_int(l->db, "SELECT max(start_us) FROM capture", now_us), since_us = last_us - WINDOW_US;
	struct counters c = read_counters(l, since_us);

	look_at_last_run(l, now_us);
	look_at_lost(l, now_us - WINDOW_US);
	if (!c.packets)
		return;
	look_at_loss(l, &c);
	look_at_sessions(l, &c);
	look_at_hours(l, since_us);
	look_at_clocks(l);
}

void doctor_look_at_store(struct doctor *d, const char *dir, int64_t now_us)
{
	struct look l = { .d = d, .dir = dir };
	char error[ERROR_MAX];
	unsigned present;

	if (!look_at_directory(&l))
		return;
	look_at_key(&l);
	for (enum db_file f = DB_FACTS; f <= DB_NOTES; f++)
		look_at_file(&l, f);
	look_at_sizes(&l);
	l.db = db_open_read(dir, DB_BUSY_MS, &present, NULL, error, sizeof error);
	if (l.db)
		look_at_facts(&l, now_us);
	else {
		doctor_say(d, DOCTOR_BAD, STORE, "%s", error);
		doctor_advise(d, "Its owner, and who is in its group, can read a store; root can.");
	}
	sqlite3_close(l.db);
}
