/* community_id.c - see community_id.h. https://github.com/corelight/community-id-spec: SHA-1 over seed, addresses, protocol, ports. */
#include "analyzer/community_id.h"

#include <openssl/evp.h>
#include <string.h>

struct end {
	const struct ip_addr *ip;
	uint16_t port;
};

static int compare(const struct end *a, const struct end *b)
{
	int c = ip_compare(a->ip, b->ip);

	return c ? c : (int)a->port - (int)b->port;
}

const char *community_id(const struct ip_addr *src, uint16_t src_port, const struct ip_addr *dest, uint16_t dest_port,
			 char out[COMMUNITY_ID_MAX])
{
	struct end ends[2] = { { src, src_port }, { dest, dest_port } };
	unsigned char in[2 + 16 + 16 + 2 + 4], digest[EVP_MAX_MD_SIZE];
	size_t n = 0, len = src->version == 4 ? 4 : 16;
	unsigned digest_len = 0;

	out[0] = '\0';
	if (!src->version || src->version != dest->version)
		return out;
	if (compare(&ends[0], &ends[1]) > 0) {
		struct end swap = ends[0];

		ends[0] = ends[1];
		ends[1] = swap;
	}
	in[n++] = 0;
	in[n++] = 0;
	for (int i = 0; i < 2; i++, n += len)
		memcpy(in + n, ends[i].ip->bytes, len);
	in[n++] = 6;	/* TCP */
	in[n++] = 0;
	for (int i = 0; i < 2; i++) {
		in[n++] = (unsigned char)(ends[i].port >> 8);
		in[n++] = (unsigned char)ends[i].port;
	}
	if (!EVP_Digest(in, n, digest, &digest_len, EVP_sha1(), NULL))
		return out;
	memcpy(out, "1:", 2);
	EVP_EncodeBlock((unsigned char *)out + 2, digest, (int)digest_len);
	return out;
}
