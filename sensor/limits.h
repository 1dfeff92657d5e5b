/*
 * limits.h - every cap on what strangers can make us keep, each with its reason.
 *
 * What is over a cap is cut, counted and noted on the fact; nothing fails.
 */
#ifndef SENSOR_LIMITS_H
#define SENSOR_LIMITS_H

/* smtp */
#define LIMIT_COMMAND_LINE 2048		/* RFC 5321 4.5.3.1.4 says 512, extensions add to it; AUTH lines are skipped, not kept */
#define LIMIT_REPLY_LINE 2048		/* RFC 5321 4.5.3.1.5 says 512 */
#define LIMIT_REPLY_TEXT 4096		/* a multi-line reply that names a list has its URL within the first lines */
#define LIMIT_EHLO_TEXT 4096
#define LIMIT_RECIPIENTS 100		/* kept per transaction, as many as RFC 5321 4.5.3.1.8 makes every server take; all are counted */
#define LIMIT_PENDING 4096		/* commands that wait for replies; replies to more are not told apart, but counted */
#define LIMIT_UNPLACED 128		/* replies behind a hole that are kept until it shows what they answer; an envelope of 100 recipients and more */
#define LIMIT_UNPLACED_BYTES 16384	/* of their texts */
#define LIMIT_OPEN_TRANSACTIONS 32	/* of one session; clients that pipeline mails have two */
#define LIMIT_STEPS 64			/* for the ladder: a mail to ten recipients has some thirty */
#define LIMIT_LOOKAHEAD 16384		/* bytes kept behind a doubtful end of data until the server's reply judges it */
#define LIMIT_TRANSACTION_ARENA (512 * 1024)	/* 100 recipients with replies, a report with 100 recipients, headers */
#define LIMIT_SESSION_ARENA (64 * 1024)
#define LIMIT_PROXY_V2 256		/* addresses are within the first 52 bytes, the rest are TLVs */
#define LIMIT_HELO 255			/* RFC 5321 4.5.3.1.2 */
#define LIMIT_XTEXT 1024		/* XCLIENT, XFORWARD attributes */

/* message */
#define LIMIT_HEADER_VALUE 4096		/* kept of one header field; References of long threads reach 3 KB */
#define LIMIT_HEADER_LINE 16384		/* one unfolded field looked at */
#define LIMIT_MIME_DEPTH 8		/* report > part > enclosed message > its parts */
#define LIMIT_MIME_PARTS 64		/* a report has three; digests more, which we need not open */
#define LIMIT_BOUNDARY 200		/* RFC 2046 5.1.1 says 70 */
#define LIMIT_PHRASE_BYTES 16384	/* of a text body searched for phrases; bounce texts say it at the top */
#define LIMIT_BARE_PHRASE_BYTES 1024	/* the same of mail that only lacks the marks of a person's program */
#define LIMIT_REPORT_FIELD 2048		/* one field of a delivery-status part; Diagnostic-Code holds whole replies */

/* decode, ipfrag */
#define LIMIT_LAYERS 24			/* tags, labels, tunnels, frames around a packet; segment routing has 10 labels, a mirrored overlay adds 8 */
#define LIMIT_FRAGMENT_SHARE 16		/* of the memory ceiling; 24 MiB by default, an eighth of a second of 1 Gbit/s that is nothing but holes */
#define LIMIT_FRAGMENT_HOLE_US 30000000ull	/* packet time; what Linux waits (ipfrag_time), RFC 791 3.2 says 15 s, RFC 8200 4.5 60 s */
#define LIMIT_FRAGMENT_LATE_US 250000ull	/* a second tap's copies of a datagram that is whole already; a longer wait meets reused numbers */

/* gate */
#define LIMIT_GATE_HELD 8192		/* bytes of a connection that waits for the verdict; banner and EHLO take some hundred */
#define LIMIT_GATE_BYTES (64 * 1024 * 1024)	/* of one that was joined in the middle, perhaps of a message: few servers take larger ones */

/* stream */
#define LIMIT_HELD_PER_FLOW (256 * 1024)	/* out-of-order bytes of one connection */
#define LIMIT_WIRE_BYTES 1500	/* in one TCP segment between networks; more of them comes from the host of the capture, or its own network */
#define LIMIT_UNACKED 2048	/* segments of each side that were handed on and not acknowledged: 3 MB on their way, of 16 bytes each here */
#define LIMIT_ACKED_WAIT_US 1000000		/* a hole that the receiver has acknowledged can only be filled by a late tap */
#define LIMIT_HOLE_WAIT_US 30000000		/* a hole that it has not will be retransmitted */
#define LIMIT_FIRST_FLIGHT 65536		/* bytes that may overtake their SYN on the way to us; the first window is no larger (RFC 7323 2.2: not scaled) */
#define LIMIT_WINDOW_BYTES (16 * 1024 * 1024)	/* scaling allows 1 GiB, mail servers' windows stay below this; more missing at once is a new start */

/* pipeline */
#define LIMIT_INTERFACES 64	/* of one run; a tap has two, and an index has to fit into a flow's byte */
#define LIMIT_CLOCK_JUMP_US 3600000000ull	/* a frame that much ahead of all others has a damaged time, unless the next one agrees */
#define LIMIT_CLOCK_BEHIND_US 10000000ull	/* packets are reordered by less; more is a clock that was set back */

/* flow, packet time */
#define LIMIT_HANDSHAKE_US 60000000ull		/* a SYN that nobody answers */
#define LIMIT_GREETING_US 300000000ull		/* no data after an answered SYN; RFC 5321 4.5.3.2.1: clients wait 5 minutes */
#define LIMIT_IDLE_US 1200000000ull		/* RFC 5321 4.5.3.2.6: 10 minutes, doubled for servers that wait longer */
#define LIMIT_OTHER_IDLE_US 60000000ull		/* no SMTP; what goes on after that is told once more */
#define LIMIT_LINGER_US 30000000ull		/* closed: late retransmissions still belong to it */

/* store */
#define LIMIT_BATCH_FACTS 5000
#define LIMIT_BATCH_BYTES (4 * 1024 * 1024)
#define LIMIT_QUEUE_BYTES (64 * 1024 * 1024)	/* and as much for SQLite's cache; some seconds of the busiest tap */
#define LIMIT_COLUMN_TEXT 8192

#endif
