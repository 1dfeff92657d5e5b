/* idn.c - see idn.h. The only file that includes libidn2. */
#include "analyzer/idn.h"

#include <string.h>

#include <idn2.h>

static bool is_ascii(struct text t)
{
	for (uint32_t i = 0; i < t.len; i++)
		if ((unsigned char)t.p[i] >= 0x80)
			return false;
	return true;
}

struct text idn_ascii(struct text domain, char out[IDN_MAX])
{
	char name[IDN_MAX], *ascii = NULL;
	struct text found = domain;

	if (is_ascii(domain) || domain.len >= sizeof name || memchr(domain.p, '\0', domain.len))
		return domain;
	memcpy(name, domain.p, domain.len);
	name[domain.len] = '\0';
	if (idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK && strlen(ascii) < IDN_MAX) {
		strcpy(out, ascii);
		found = (struct text){ out, (uint32_t)strlen(out) };
	}
	idn2_free(ascii);
	return found;
}
