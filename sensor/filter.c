/* filter.c - see filter.h */
#include "sensor/filter.h"

#include "common/buf.h"
#include "common/xmalloc.h"

/*
 * Numbers as in the tables of decode.c. All are tests of raw fields: the words "mpls" and "pppoes" would move what follows them behind those
 * headers, and so does "vlan".
 */
static const char carriers[] =
	" or ip[6:2] & 0x3fff != 0"						/* fragments: offset or more to come */
	" or ip proto 4 or 41 or 47 or 51"					/* IP in IP, 6in4, GRE, authentication header */
	" or ip6 proto 0 or 4 or 41 or 43 or 44 or 47 or 51 or 60 or 135 or 139 or 140"	/* the same, extension headers, fragments */
	" or udp dst port 4789 or 8472 or 6081"					/* VXLAN, GENEVE */
	" or ether proto 0x8847 or 0x8848 or 0x8864";				/* MPLS, PPPoE sessions */

static void add_untagged(struct buf *b, const unsigned short *ports, size_t port_count, bool any_port)
{
	if (any_port)
		buf_printf(b, "tcp");
	for (size_t i = 0; i < port_count && !any_port; i++)
		buf_printf(b, "%s%u", i ? " or " : "tcp port ", ports[i]);
	buf_printf(b, "%s", carriers);
}

char *filter_words(const unsigned short *ports, size_t port_count, bool any_port, int linktype)
{
	struct buf b = { 0 };

	add_untagged(&b, ports, port_count, any_port);
	if (linktype == FILTER_ETHERNET) {
		for (int tags = 1; tags <= 2; tags++) {
			buf_printf(&b, " or (vlan and (");
			add_untagged(&b, ports, port_count, any_port);
		}
		buf_printf(&b, "))))");
	} else
		buf_printf(&b, " or ether proto 0x8100 or 0x88a8 or 0x9100");
	char *words = xstrdup(buf_cstr(&b));
	buf_fini(&b);
	return words;
}
