/* paragraph.c - see paragraph.h */
#include "common/paragraph.h"

/* Where the line that begins at p ends: at the last blank behind indent that leaves it short enough, else at the first one. */
static size_t line_length(const char *p, size_t room, size_t indent)
{
	size_t n = strlen(p), cut;

	if (n <= room)
		return n;
	for (cut = room; cut > indent && p[cut] != ' '; cut--)
		;
	if (cut <= indent)
		cut = indent + strcspn(p + indent, " ");
	return cut;
}

void paragraph(struct buf *out, unsigned indent, const char *text)
{
	size_t first_blanks = strspn(text, " "), room = PARAGRAPH_WIDTH, skip = first_blanks;

	for (;;) {
		size_t n = line_length(text, room, skip), end = n;

		while (end && text[end - 1] == ' ')
			end--;
		buf_add(out, text, end);
		buf_add_char(out, '\n');
		text += n + strspn(text + n, " ");
		if (!*text)
			return;
		for (unsigned i = 0; i < indent; i++)
			buf_add_char(out, ' ');
		room = indent < PARAGRAPH_WIDTH ? PARAGRAPH_WIDTH - indent : 1;
		skip = 0;
	}
}
