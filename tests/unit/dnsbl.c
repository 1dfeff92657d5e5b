/* Unit tests of analyzer/dnsbl.c: answers as bytes. What a resolver does over time is in tests/check_selfcheck. */
#include "analyzer/dnsbl.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A header with this many records, and the question for "a.bl". */
#define QUESTION "\1a\2bl\0\0\1\0\1"
#define HEAD(count) "\x12\x34\x81\x80\0\1\0" count "\0\0\0\0" QUESTION
#define OWNER "\xc0\x0c"
#define RR_A OWNER "\0\1\0\1\0\0\0\x3c\0\4"
#define CNAME_TO(length) OWNER "\0\5\0\1\0\0\0\x3c\0" length

/* The bytes without the terminating NUL, at the end of a block of their own size, so that sanitizers see what is read behind them. */
static enum dns_status read_bytes(struct dns_query *q, enum dns_type type, const char *p, size_t n)
{
	unsigned char *copy = xmalloc(n ? n : 1);

	memcpy(copy, p, n);
	*q = (struct dns_query){ .name = "a.bl", .type = type };
	enum dns_status status = read_answer(q, copy, (int)n);
	free(copy);
	return status;
}

#define READ(q, type, bytes) read_bytes(q, type, bytes, sizeof(bytes) - 1)

static void records_are_read(void **state)
{
	struct dns_query q;

	(void)state;
	assert_int_equal(READ(&q, DNS_A, HEAD("\2") RR_A "\x7f\0\0\2" RR_A "\x7f\0\0\3"), DNS_ANSWER);
	assert_int_equal(q.count, 2);
	assert_int_equal(q.address[1].bytes[3], 3);
	assert_int_equal(READ(&q, DNS_TXT, HEAD("\1") OWNER "\0\x10\0\1\0\0\0\x3c\0\7" "\3one\2\0t"), DNS_ANSWER);
	assert_string_equal(q.text[0], "one t");
	dns_query_fini(&q);
	assert_int_equal(READ(&q, DNS_PTR, HEAD("\1") OWNER "\0\x0c\0\1\0\0\0\x3c\0\4" "\1x\xc0\x0e"), DNS_ANSWER);
	assert_string_equal(q.text[0], "x.bl");
	dns_query_fini(&q);
}

static void an_alias_is_followed_and_a_loop_is_not(void **state)
{
	struct dns_query q;

	(void)state;
	assert_int_equal(READ(&q, DNS_A, HEAD("\2") CNAME_TO("\4") "\1x\xc0\x0e" "\1x\xc0\x0e" "\0\1\0\1\0\0\0\x3c\0\4" "\x7f\0\0\2"), DNS_ANSWER);
	assert_int_equal(q.count, 1);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") CNAME_TO("\2") "\xc0\x0c"), DNS_NO_RECORD);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") CNAME_TO("\2") "\xc0\x22"), DNS_MALFORMED);
}

static void what_was_not_asked_is_left_out(void **state)
{
	struct dns_query q;

	(void)state;
	assert_int_equal(READ(&q, DNS_A, HEAD("\0")), DNS_NO_RECORD);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") "\1z\0" "\0\1\0\1\0\0\0\x3c\0\4" "\x7f\0\0\2"), DNS_NO_RECORD);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") OWNER "\0\1\0\3\0\0\0\x3c\0\4" "\x7f\0\0\2"), DNS_NO_RECORD);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") OWNER "\0\x10\0\1\0\0\0\x3c\0\2" "\1x"), DNS_NO_RECORD);
}

static void what_makes_no_sense_is_malformed(void **state)
{
	static const char whole[] = HEAD("\2") RR_A "\x7f\0\0\2" RR_A "\x7f\0\0\3";
	struct dns_query q;

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++)
		assert_int_equal(read_bytes(&q, DNS_A, whole, n), DNS_MALFORMED);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") OWNER "\0\1\0\1\0\0\0\x3c\0\6" "\x7f\0\0\2\0\0"), DNS_MALFORMED);
	assert_int_equal(READ(&q, DNS_A, HEAD("\1") OWNER "\0\1\0\1\0\0\0\x3c\xff\xff" "\x7f\0\0\2"), DNS_MALFORMED);
	assert_int_equal(READ(&q, DNS_A, "\x12\x34\x83\x80\0\1\0\1\0\0\0\0" QUESTION RR_A "\x7f\0\0\2"), DNS_MALFORMED);
	assert_int_equal(READ(&q, DNS_A, "\x12\x34\x81\x80\0\1\0\1\0\0\0\0" "\1b\2bl\0\0\1\0\1" RR_A "\x7f\0\0\2"), DNS_MALFORMED);
	assert_int_equal(READ(&q, DNS_A, "\x12\x34\x81\x80\0\0\0\1\0\0\0\0" RR_A "\x7f\0\0\2"), DNS_MALFORMED);
	assert_int_equal(READ(&q, DNS_TXT, HEAD("\1") OWNER "\0\x10\0\1\0\0\0\x3c\0\4" "\xffone"), DNS_MALFORMED);
}

static void many_records_and_long_texts_are_cut(void **state)
{
	struct dns_query q;
	struct buf b = { 0 };

	(void)state;
	buf_add(&b, HEAD("\x64"), sizeof HEAD("\x64") - 1);
	for (int i = 0; i < 100; i++)
		buf_add(&b, RR_A "\x7f\0\0\2", sizeof(RR_A "\x7f\0\0\2") - 1);
	assert_int_equal(read_bytes(&q, DNS_A, b.p, b.len), DNS_ANSWER);
	assert_int_equal(q.count, DNS_RECORDS_MAX);
	buf_clear(&b);
	buf_add(&b, HEAD("\1") OWNER "\0\x10\0\1\0\0\0\x3c\x80\0", sizeof(HEAD("\1") OWNER "\0\x10\0\1\0\0\0\x3c\x80\0") - 1);
	for (int i = 0; i < 128; i++) {
		buf_add_char(&b, (char)255);
		for (int k = 0; k < 255; k++)
			buf_add_char(&b, 'A');
	}
	assert_int_equal(read_bytes(&q, DNS_TXT, b.p, b.len), DNS_ANSWER);
	assert_int_equal(strlen(q.text[0]), DNS_TEXT_MAX);
	dns_query_fini(&q);
	buf_fini(&b);
}

static void resolvers_are_named(void **state)
{
	static const char *const good[][2] = { { "192.0.2.53", "192.0.2.53" }, { "192.0.2.53:5353", "192.0.2.53:5353" }, { "[2001:db8::53]:5353", "[2001:db8::53]:5353" } };
	char error[200];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct dnsbl *d = dnsbl_new(good[i][0], error, sizeof error);

		assert_non_null(d);
		assert_string_equal(dnsbl_resolvers(d), good[i][1]);
		dnsbl_free(d);
	}
	assert_null(dnsbl_new("", error, sizeof error));
	assert_null(dnsbl_new("mx.example", error, sizeof error));
	assert_non_null(strstr(error, "mx.example is no address of a resolver"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(an_alias_is_followed_and_a_loop_is_not),
		cmocka_unit_test(what_was_not_asked_is_left_out),
		cmocka_unit_test(what_makes_no_sense_is_malformed),
		cmocka_unit_test(many_records_and_long_texts_are_cut),
		cmocka_unit_test(resolvers_are_named),
	};

	return cmocka_run_group_tests_name("dnsbl", tests, NULL, NULL);
}
