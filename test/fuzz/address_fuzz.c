/*
 * address_fuzz.c: whatever somebody writes for an address, its form fits into
 * its room, is a fixed point, and is that of one kind.
 *
 * Input: one byte chooses channel and country, the rest is the address.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common test/fuzz/address_fuzz.c
 *     src/common/{address_form,telephone,spelling,number_plan}.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "address_form.h"

/* Not inlined, so that the stack of a crash says which one failed. */
static void __attribute__((noinline))
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_number(const char *form)
{
	size_t		digits = strspn(form + 1, "0123456789");

	check(form[0] == '+' && form[1] != '0' && form[1 + digits] == '\0');
	check(digits >= 7 && digits <= 15);
}

/* Exactly as large as the contract says, so that one byte too many is seen. */
static void
check_form(const char *address, const char *channel, const char *country_code)
{
	char	   *form = malloc(strlen(address) + ADDRESS_FORM_ROOM);
	AddressFault fault = address_form(form, address, channel, country_code);
	char		mask[32];

	check((fault == ADDRESS_FAULTLESS) == (address_fault_name(fault) == NULL));
	check((fault == ADDRESS_FAULTLESS) == (form[0] != '\0'));
	if (fault == ADDRESS_FAULTLESS)
	{
		char	   *again = malloc(strlen(form) + ADDRESS_FORM_ROOM);

		check(address_form(again, form, channel, country_code) == ADDRESS_FAULTLESS && strcmp(again, form) == 0);
		free(again);
	}
	if (fault == ADDRESS_FAULTLESS && address_kind(channel) == ADDRESS_NUMBER)
		check_number(form);
	if (fault == ADDRESS_FAULTLESS && channel != NULL && address_kind(channel) == ADDRESS_OPAQUE)
		check(strcmp(form, address) == 0);
	check(address_to_send(form, address, channel, country_code, country_code == NULL) == fault);
	address_mask(mask, sizeof(mask), address);
	check(strlen(mask) < sizeof(mask));
	free(form);
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const channels[] = {"sms", "whatsapp", "email", "open", NULL, "Voice"};
	static const char *const countries[] = {NULL, "1", "49", "55", "52", "39", "7", "36", "999"};
	char	   *address;

	if (size < 1)
		return 0;
	address = malloc(size);
	memcpy(address, data + 1, size - 1);
	address[size - 1] = '\0';
	check_form(address, channels[data[0] % 6], countries[data[0] / 6 % 9]);
	free(address);
	return 0;
}
