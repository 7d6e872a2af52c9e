/*
 * address_fault.h: why something is no address.
 */
#ifndef REENGAGE_ADDRESS_FAULT_H
#define REENGAGE_ADDRESS_FAULT_H

typedef enum AddressFault
{
	ADDRESS_FAULTLESS,
	ADDRESS_NOTHING,			/* blank, or a program's word for nothing */
	ADDRESS_DAMAGED,			/* a program took it for a quantity: 1.3E+10, 13175550142.0 */
	ADDRESS_NO_NUMBER,
	ADDRESS_NATIONAL,			/* a number, but nobody says of which country */
	ADDRESS_NO_EMAIL
} AddressFault;

#endif
